#!/bin/bash
# Builds all fuzz targets into $OUT, each with its corpus and dictionary. ClusterFuzzLite and OSS-Fuzz
# set CC, CXX, CFLAGS, CXXFLAGS, LIB_FUZZING_ENGINE, OUT and WORK (docs/fuzzing.md).
set -euo pipefail

# The libraries of the system are built with libstdc++, which can't be mixed with libc++.
export CXXFLAGS=${CXXFLAGS//-stdlib=libc++/}

cmake -S . -B "$WORK/rsd" -G Ninja \
  -D CMAKE_BUILD_TYPE=RelWithDebInfo \
  -D CMAKE_C_FLAGS_RELWITHDEBINFO= -D CMAKE_CXX_FLAGS_RELWITHDEBINFO= \
  -D RSD_FUZZERS=ON -D RSD_FUZZING_ENGINE="$LIB_FUZZING_ENGINE" \
  -D RSD_BUILD_TESTS=OFF -D RSD_BUILD_BENCHMARKS=OFF \
  -D GGML_OPENMP=OFF -D RSD_CPU_FEATURES="sse4_2;avx;avx2;fma;f16c;bmi2"
cmake --build "$WORK/rsd" --target rsd_fuzzers

# Targets run in another image, which has only what lies in $OUT.
bring_libraries() {
  local library
  mkdir -p "$OUT/lib"
  ldd "$1" | awk '$3 ~ /^\// { print $3 }' | while read -r library; do
    case ${library##*/} in
      libc.so* | libm.so* | libpthread.so* | libdl.so* | librt.so*) ;;
      *) cp --update "$library" "$OUT/lib/" ;;
    esac
  done
  patchelf --set-rpath '$ORIGIN/lib' "$1"
}

for source in fuzz/*_fuzzer.cpp; do
  target=${source#fuzz/}
  target=${target%_fuzzer.cpp}
  cp "$WORK/rsd/fuzz/fuzz_$target" "$OUT/"
  bring_libraries "$OUT/fuzz_$target"
  cp "fuzz/dictionaries/$target.dict" "$OUT/fuzz_$target.dict"
  folders=("fuzz/corpus/$target")
  if [[ -d fuzz/regressions/$target ]]; then folders+=("fuzz/regressions/$target"); fi
  python3 -I - "$OUT/fuzz_${target}_seed_corpus.zip" "${folders[@]}" <<'PYTHON'
import pathlib, sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as seeds:
    for folder in sys.argv[2:]:
        for path in sorted(pathlib.Path(folder).iterdir()):
            seeds.write(path, f"{path.parent.parent.name}-{path.name}")
PYTHON
done
