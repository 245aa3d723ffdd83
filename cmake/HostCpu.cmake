# Which instruction sets ggml is compiled for.
#
# `-march=native` means something else on every machine, but reads the same to ccache and to a build
# folder that is moved: objects made for one CPU would be linked on another and die of an illegal
# instruction. So the host's features are looked up and written out as explicit options, anew at each
# configure, and rsd checks the list at start-up (src/llm/cpu_features.cpp).
#
# Sets RSD_GGML_FEATURES (names as in /proc/cpuinfo) and the matching GGML_* options.
# -DRSD_CPU_FEATURES="avx2;fma;f16c;bmi2" builds for another machine than this one.

set(RSD_CPU_FEATURES "host" CACHE STRING
    "Instruction sets to compile ggml for: 'host', or a list such as avx2;fma;f16c;bmi2")

function(rsd_choose_cpu_features)
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
    return()  # elsewhere ggml's own defaults apply
  endif()
  set(known
      sse4_2 GGML_SSE42  avx GGML_AVX  avx2 GGML_AVX2  fma GGML_FMA  f16c GGML_F16C  bmi2 GGML_BMI2
      avx_vnni GGML_AVX_VNNI  avx512vbmi GGML_AVX512_VBMI  avx512_vnni GGML_AVX512_VNNI
      avx512_bf16 GGML_AVX512_BF16  amx_tile GGML_AMX_TILE  amx_int8 GGML_AMX_INT8
      amx_bf16 GGML_AMX_BF16)
  if(RSD_CPU_FEATURES STREQUAL "host")
    file(STRINGS /proc/cpuinfo flags REGEX "^flags" LIMIT_COUNT 1)
    string(REGEX REPLACE "^flags[^:]*: *" "" flags "${flags}")
    string(REPLACE " " ";" present "${flags}")
  else()
    set(present ${RSD_CPU_FEATURES})
  endif()

  set(features "")
  while(known)
    list(POP_FRONT known feature option)
    if(feature IN_LIST present)
      list(APPEND features ${feature})
      set(${option} ON CACHE BOOL "set by cmake/HostCpu.cmake" FORCE)
    else()
      set(${option} OFF CACHE BOOL "set by cmake/HostCpu.cmake" FORCE)
    endif()
  endwhile()
  # ggml's AVX512 stands for five extensions at once.
  set(avx512 ON)
  foreach(extension avx512f avx512cd avx512bw avx512dq avx512vl)
    if(NOT extension IN_LIST present)
      set(avx512 OFF)
    endif()
  endforeach()
  set(GGML_AVX512 ${avx512} CACHE BOOL "set by cmake/HostCpu.cmake" FORCE)
  if(avx512)
    list(APPEND features avx512f avx512cd avx512bw avx512dq avx512vl)
  endif()
  set(GGML_NATIVE OFF CACHE BOOL "set by cmake/HostCpu.cmake" FORCE)
  set(RSD_GGML_FEATURES "${features}" PARENT_SCOPE)
  list(JOIN features " " readable)
  message(STATUS "ggml is compiled for: ${readable}")
endfunction()

rsd_choose_cpu_features()
