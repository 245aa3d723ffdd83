# llama.cpp: an installed one if there is one, else the pinned source that `./dev setup` unpacked.
# Nothing is downloaded here. Provides the target `llama`, RSD_GGML (ggml's target), and
# RSD_LLAMA_VENDORED.

set(RSD_LLAMA_VERSION "0.3.36" CACHE INTERNAL "the llama-cpp-python sdist that holds the source")
if("$ENV{XDG_CACHE_HOME}" MATCHES "^/")  # relative values are to be ignored (XDG specification)
  set(_rsd_cache "$ENV{XDG_CACHE_HOME}/rsd")
else()
  set(_rsd_cache "$ENV{HOME}/.cache/rsd")
endif()
set(RSD_LLAMA_SOURCE_DIR "${_rsd_cache}/llama.cpp-${RSD_LLAMA_VERSION}" CACHE PATH
    "Source of llama.cpp, used where no installed llama is found")
option(RSD_SYSTEM_LLAMA "Take an installed llama.cpp where find_package finds one" ON)

set(RSD_LLAMA_VENDORED OFF)
set(RSD_GGML ggml::ggml)
if(RSD_SYSTEM_LLAMA)
  find_package(llama CONFIG QUIET)
endif()
if(llama_FOUND)
  message(STATUS "llama.cpp: installed, ${llama_DIR}")
  set(RSD_GGML_FEATURES "")  # its owner answers for the CPU it runs on
  return()
endif()

if(NOT EXISTS "${RSD_LLAMA_SOURCE_DIR}/CMakeLists.txt")
  message(FATAL_ERROR
    "llama.cpp was not found: neither an installed one (find_package(llama)) nor its source at\n"
    "  ${RSD_LLAMA_SOURCE_DIR}\n"
    "Run ./dev setup, which fetches the pinned source, or pass -DRSD_LLAMA_SOURCE_DIR=DIR, or "
    "-Dllama_DIR=DIR/lib/cmake/llama for an installed one.")
endif()
message(STATUS "llama.cpp: ${RSD_LLAMA_SOURCE_DIR}")
set(RSD_LLAMA_VENDORED ON)
set(RSD_GGML ggml)

set(BUILD_SHARED_LIBS OFF CACHE BOOL "Shared libraries")
include(HostCpu)
foreach(part COMMON TESTS TOOLS EXAMPLES SERVER APP)
  set(LLAMA_BUILD_${part} OFF CACHE INTERNAL "")
endforeach()
set(GGML_CUDA ${RSD_CUDA} CACHE BOOL "set by RSD_CUDA" FORCE)
set(GGML_RPC ${RSD_RPC} CACHE BOOL "set by RSD_RPC" FORCE)
set(GGML_RPC_RDMA OFF CACHE INTERNAL "what is built here runs without libibverbs, too")
set(GGML_CCACHE OFF CACHE INTERNAL "the launcher is set by cmake/Ccache.cmake")
# It becomes a part of bindings/c's shared library, as rsd's own modules do.
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(LLAMA_BUILD_NUMBER 0)
set(LLAMA_BUILD_COMMIT "llama-cpp-python-${RSD_LLAMA_VERSION}")
rsd_hide_path("${RSD_LLAMA_SOURCE_DIR}" llama.cpp)
add_subdirectory("${RSD_LLAMA_SOURCE_DIR}" "${CMAKE_BINARY_DIR}/llama.cpp" SYSTEM)
unset(CMAKE_POSITION_INDEPENDENT_CODE)
if(RSD_FUZZERS)
  # As released, without assertions for its developers; sanitizers look for faults of memory only. The
  # kernels read no files, and with sanitizers they'd take most of the time.
  foreach(target ggml ggml-base llama)
    target_compile_options(${target} PRIVATE -DNDEBUG -fno-sanitize=undefined)
  endforeach()
  target_compile_options(ggml-cpu PRIVATE -DNDEBUG -fno-sanitize=all)
endif()
if(RSD_CPU_FEATURES STREQUAL "variants")
  rsd_leave_out_variants()
endif()
