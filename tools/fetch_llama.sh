#!/bin/bash
# Puts the pinned source of llama.cpp where cmake/Llama.cmake looks for it:
#   ${XDG_CACHE_HOME:-~/.cache}/rsd/llama.cpp-<version>
# A relative XDG_CACHE_HOME is ignored, as the XDG Base Directory Specification has it. Nothing of the
# current folder is run.
#
# It lies inside the sdist of the Python package llama-cpp-python, which pip downloads, so that the
# user's index, proxy and certificate settings apply. The hash is checked by pip and again here.
# The folder appears by one rename: once it is there it is complete, and this script does nothing.
# Two at once are safe, the second waits. After an interruption the next call cleans up; a download
# that had ended is used again.
#
# Exit: 0 the source is there, 3 it could not be had.
set -euo pipefail
# Before the first program: PATH may have a stranger's folder in it.
source "$(PATH=/usr/bin:/bin && dirname "$(readlink -f "${BASH_SOURCE[0]}")")/safe_path.sh"

version=0.3.36 # also in cmake/Llama.cmake
sha256=832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e

cache=${XDG_CACHE_HOME:-}
if [[ $cache != /* ]]; then cache=${HOME:?is not set}/.cache; fi
if [[ $cache != /* ]]; then
  echo "fetch_llama: error: neither XDG_CACHE_HOME nor HOME is an absolute path" >&2
  exit 3
fi
cache=$cache/rsd
target=$cache/llama.cpp-$version
sdist=$cache/llama_cpp_python-$version.tar.gz
download=$cache/llama.download # what pip writes into, and
partial=$cache/llama.partial   # what is being unpacked; both only under the lock

# What CMake needs to build the libraries, 36 of 200 MB. Not the rest, and above all not `.git`, a
# pointer to a repository that the sdist does not hold.
parts=(CMakeLists.txt LICENSE AUTHORS licenses cmake include src ggml vendor)

say() { echo "fetch_llama: $*" >&2; }
fail() {
  say "error: $*"
  exit 3
}

is_there() { [[ -f $target/CMakeLists.txt ]]; }
is_intact() { [[ -f $1 ]] && echo "$sha256  $1" | sha256sum --check --status; }

# Only one at a time from here on; the lock goes with the process, however that ends.
take_lock() {
  mkdir -p "$cache" || fail "$cache can't be written; XDG_CACHE_HOME chooses another place"
  exec 9>"$cache/llama.lock"
  if ! flock --nonblock 9; then
    say "another one is at it, waiting"
    flock 9
  fi
}

# `--no-binary` names this package alone: `:all:` would have pip compile the build tools as well.
download_sdist() {
  say "downloading llama-cpp-python $version (77 MB) with pip"
  python3 -I -m pip --version >/dev/null 2>&1 || fail "python3 has no pip (Debian: python3-pip)"
  mkdir "$download"
  echo "llama-cpp-python==$version --hash=sha256:$sha256" >"$download/requirements.txt"
  python3 -I -m pip download --disable-pip-version-check --progress-bar off --no-deps \
    --no-binary llama-cpp-python --require-hashes --requirement "$download/requirements.txt" \
    --dest "$download" >&2 ||
    fail "pip could not download it. Its settings are shown by 'python3 -m pip config list'." \
      "Or get llama_cpp_python-$version.tar.gz in another way, place it at $sdist and run again."
  local file
  file=$(find "$download" -name '*.tar.gz' -print -quit)
  is_intact "$file" || fail "what pip saved, '$file', does not have the sha256 $sha256"
  mv "$file" "$sdist"
}

unpack() {
  say "unpacking"
  local root=llama_cpp_python-$version/vendor/llama.cpp
  mkdir "$partial"
  tar --extract --gzip --file "$sdist" --directory "$partial" --strip-components 3 \
    --no-same-owner "${parts[@]/#/$root/}" || fail "$sdist can't be unpacked into $partial"
  rm -rf "$target" # there only if it was no source: is_there said so
  mv "$partial" "$target"
  rm "$sdist"
}

if is_there; then exit 0; fi
take_lock
if is_there; then exit 0; fi
cd "$cache" # whatever is started finds nobody else's files around it
rm -rf "$download" "$partial"
if ! is_intact "$sdist"; then
  rm -f "$sdist"
  download_sdist
fi
unpack
rm -rf "$download"
say "llama.cpp is at $target"
