# Which instruction sets ggml is compiled for.
#
# `-march=native` means something else on every machine, but reads the same to ccache and to a build
# folder that is moved: objects made for one CPU would be linked on another and die of an illegal
# instruction. So the host's features are looked up and written out as explicit options, anew at each
# configure, and rsd checks the list at start-up (src/llm/cpu_features.cpp).
#
# Sets RSD_GGML_FEATURES (names as in /proc/cpuinfo) and the matching GGML_* options; where that
# overrides a -DGGML_AVX512=OFF or the like, a warning says so:
#
#   -DRSD_CPU_FEATURES=host                  what this machine has, but for AMX; the default
#   -DRSD_CPU_FEATURES="avx2;fma;f16c;bmi2"  for another machine: these and no others
#   -DRSD_CPU_FEATURES=variants              for any x86-64 CPU: ggml's kernels once for each of its
#                                            kinds of CPU, as libraries of which the best is chosen
#                                            when rsd runs. What is shipped is built like this.
#   -DRSD_CPU_FEATURES=user                  GGML_NATIVE, GGML_AVX512, … are left to whoever runs
#                                            CMake, and unset ones to ggml, whose own default is
#                                            GGML_NATIVE=ON. Nothing is checked at start-up. For
#                                            new build folders: another keeps what it was given.
#
# All that is about x86. Elsewhere RSD_CPU_FEATURES has no effect and it is as with `user`: ggml's
# own default is to compile for the very CPU that builds, so a build folder or a compiler cache must
# not move to another kind of CPU; -DGGML_NATIVE=OFF (on ARM with -DGGML_CPU_ARM_ARCH=…) prevents it.

set(RSD_CPU_FEATURES "host" CACHE STRING
    "Instruction sets to compile ggml for: 'host', 'variants', a list such as avx2;fma;f16c;bmi2, or 'user'")

# The written value is stored as well: a different value was set by the user.
function(rsd_set_cpu_option option value)
  if(DEFINED CACHE{${option}} AND NOT "$CACHE{${option}}" STREQUAL "$CACHE{RSD_WROTE_${option}}"
     AND NOT "$CACHE{${option}}" STREQUAL value)
    message(WARNING "${option}=$CACHE{${option}} is overridden with ${value}, since "
                    "RSD_CPU_FEATURES=${RSD_CPU_FEATURES}; -DRSD_CPU_FEATURES=user keeps it.")
  endif()
  set(${option} ${value} CACHE BOOL "set by cmake/HostCpu.cmake" FORCE)
  set(RSD_WROTE_${option} ${value} CACHE INTERNAL "by cmake/HostCpu.cmake")
endfunction()

function(rsd_choose_cpu_features)
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
    return()
  endif()
  set(known
      sse4_2 GGML_SSE42  avx GGML_AVX  avx2 GGML_AVX2  fma GGML_FMA  f16c GGML_F16C  bmi2 GGML_BMI2
      avx_vnni GGML_AVX_VNNI  avx512vbmi GGML_AVX512_VBMI  avx512_vnni GGML_AVX512_VNNI
      avx512_bf16 GGML_AVX512_BF16  amx_tile GGML_AMX_TILE  amx_int8 GGML_AMX_INT8
      amx_bf16 GGML_AMX_BF16)
  if(RSD_CPU_FEATURES STREQUAL "user")
    set(RSD_GGML_FEATURES "" PARENT_SCOPE)
    message(STATUS "ggml is compiled for what the GGML_* options say")
    return()
  endif()
  if(RSD_CPU_FEATURES STREQUAL "variants")
    set(RSD_GGML_FEATURES "" PARENT_SCOPE)
    foreach(option GGML_BACKEND_DL GGML_CPU_ALL_VARIANTS BUILD_SHARED_LIBS)
      rsd_set_cpu_option(${option} ON)
    endforeach()
    rsd_set_cpu_option(GGML_NATIVE OFF)
    message(STATUS "ggml is compiled for several kinds of CPU")
    return()
  endif()
  if(RSD_CPU_FEATURES STREQUAL "host")
    file(STRINGS /proc/cpuinfo flags REGEX "^flags" LIMIT_COUNT 1)
    string(REGEX REPLACE "^flags[^:]*: *" "" flags "${flags}")
    string(REPLACE " " ";" present "${flags}")
    # ggml's AMX kernels die of an illegal instruction when GCC 12 compiles them: its _tile_loadconfig
    # declares only the first bytes of the configuration as read, so the stores to the others go. They
    # serve quantised weights only.
    list(REMOVE_ITEM present amx_tile amx_int8 amx_bf16)
  else()
    set(present ${RSD_CPU_FEATURES})
  endif()

  set(features "")
  while(known)
    list(POP_FRONT known feature option)
    if(feature IN_LIST present)
      list(APPEND features ${feature})
      rsd_set_cpu_option(${option} ON)
    else()
      rsd_set_cpu_option(${option} OFF)
    endif()
  endwhile()
  # ggml's AVX512 stands for five extensions at once.
  set(avx512 ON)
  foreach(extension avx512f avx512cd avx512bw avx512dq avx512vl)
    if(NOT extension IN_LIST present)
      set(avx512 OFF)
    endif()
  endforeach()
  rsd_set_cpu_option(GGML_AVX512 ${avx512})
  if(avx512)
    list(APPEND features avx512f avx512cd avx512bw avx512dq avx512vl)
  endif()
  rsd_set_cpu_option(GGML_NATIVE OFF)
  set(RSD_GGML_FEATURES "${features}" PARENT_SCOPE)
  list(JOIN features " " readable)
  message(STATUS "ggml is compiled for: ${readable}")
endfunction()

# For CPUs of before 2016, or rare ones: these run the next older variant.
set(RSD_LEFT_OUT_VARIANTS "ivybridge;piledriver;cannonlake;cooperlake" CACHE STRING
    "ggml's variants that RSD_CPU_FEATURES=variants leaves out")

# Call it after ggml was added. Variants that are left out become empty libraries, which aren't installed;
# with GCC 12, which miscompiles AMX kernels (see above), so does the variant that has them. CPUs with AMX
# then run the variant for Zen 4, which is the same without AMX.
function(rsd_leave_out_variants)
  set(left_out ${RSD_LEFT_OUT_VARIANTS})
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_C_COMPILER_VERSION VERSION_LESS 13)
    list(APPEND left_out sapphirerapids)
  endif()
  file(WRITE "${CMAKE_BINARY_DIR}/no_kernels.c" "")
  foreach(variant IN LISTS left_out)
    if(TARGET ggml-cpu-${variant})
      set_target_properties(ggml-cpu-${variant} PROPERTIES
        SOURCES "${CMAKE_BINARY_DIR}/no_kernels.c" LINK_LIBRARIES "" RSD_IS_EMPTY ON)
    endif()
  endforeach()
endfunction()

rsd_choose_cpu_features()
