# Run by ctest (see CMakeLists.txt): install; then for each example find_package(rsd),
# build it, run it.
set(prefix "${WORK_DIR}/prefix")

function(run_step what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output
                  ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message("${output}")  # as it is: an error message would be reflowed
    message(FATAL_ERROR "${what} failed (${status})")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE "${WORK_DIR}")  # nothing of an earlier installation may help
run_step("install" "${CMAKE_COMMAND}" --install "${RSD_BINARY_DIR}" --prefix "${prefix}"
         --config "${BUILD_TYPE}")
run_step("installed rsd" "${prefix}/bin/rsd" --version)
file(GLOB models RELATIVE "${RSD_SOURCE_DIR}" "${RSD_SOURCE_DIR}/models/*.gguf")
foreach(model IN LISTS models)
  if(NOT EXISTS "${prefix}/share/rsd/${model}")
    message(FATAL_ERROR "${model} is not installed")
  endif()
endforeach()

# Installed headers lead to installed headers only: each of them is included by a program.
file(GLOB_RECURSE headers RELATIVE "${prefix}/include" "${prefix}/include/rsd/*.h")
list(LENGTH headers n_headers)
message(STATUS "${n_headers} headers are installed")
list(TRANSFORM headers REPLACE "(.+)" "#include <\\1>")
list(JOIN headers "\n" includes)
file(WRITE "${WORK_DIR}/headers.cpp" "${includes}\nint main() {}\n")
run_step("including the installed headers" "${CXX_COMPILER}" -std=c++20 -fsyntax-only
         -I "${prefix}/include" "${WORK_DIR}/headers.cpp")

# The C interface, by the words of pkg-config.
file(GLOB_RECURSE package "${prefix}/*/pkgconfig/rsd.pc")
cmake_path(GET package PARENT_PATH package_folder)
find_program(PKG_CONFIG pkg-config REQUIRED)
run_step("pkg-config" "${CMAKE_COMMAND}" -E env "PKG_CONFIG_PATH=${package_folder}"
         "${PKG_CONFIG}" --cflags --libs rsd)
separate_arguments(words UNIX_COMMAND "${C_FLAGS} ${output}")
cmake_path(GET package_folder PARENT_PATH library_folder)
run_step("building the C example" "${C_COMPILER}" "${RSD_SOURCE_DIR}/examples/c/rank_texts.c" ${words}
         "-Wl,-rpath,${library_folder}" -o "${WORK_DIR}/rank_texts_c")
run_step("the C example" "${WORK_DIR}/rank_texts_c" "${RSD_SOURCE_DIR}/tests/models/tiny-bpe.gguf")
if(NOT output MATCHES "2 encodings, the first")
  message(FATAL_ERROR "the C example printed\n${output}")
endif()

# What the example of that name prints, with the further arguments; in `output`.
function(run_example name)
  set(build "${WORK_DIR}/${name}")
  run_step("configuring ${name}" "${CMAKE_COMMAND}" -G "${GENERATOR}"
           -S "${RSD_SOURCE_DIR}/examples/${name}" -B "${build}"
           -D "CMAKE_PREFIX_PATH=${prefix}" -D "CMAKE_BUILD_TYPE=${BUILD_TYPE}"
           -D "CMAKE_CXX_COMPILER=${CXX_COMPILER}" -D "CMAKE_CXX_FLAGS=${CXX_FLAGS}")
  run_step("building ${name}" "${CMAKE_COMMAND}" --build "${build}" --parallel 2)
  run_step("${name}" "${build}/${name}" ${ARGN})
  set(output "${output}" PARENT_SCOPE)
endfunction()

run_example(embed)
set(expected "ranking: coffee tea water juice\nencodings: 2, known for sure: 2 of 4\n")
if(NOT output STREQUAL expected)
  message(FATAL_ERROR "embed printed\n${output}instead of\n${expected}")
endif()

# The weights of the tiny model are random, so any order will do.
set(model "${RSD_SOURCE_DIR}/tests/models/tiny-bpe.gguf")
run_example(rank_texts "${model}")
if(NOT output MATCHES "^([^\n]+\n[^\n]+\n[^\n]+\n[^\n]+\n)2 encodings\n$")
  message(FATAL_ERROR "rank_texts printed\n${output}")
endif()
string(REGEX MATCHALL "[^\n]+" ranking "${CMAKE_MATCH_1}")
list(SORT ranking)
list(JOIN ranking "|" ranking)
if(NOT ranking STREQUAL "Coffee is ground before it is brewed.|Green tea is harvested in spring.|\
Steep green tea for two minutes.|Tea that steeps for too long is bitter.")
  message(FATAL_ERROR "rank_texts did not rank each candidate once:\n${ranking}")
endif()

# The programs of the documentation, each in a folder with a model.
set(docs "${WORK_DIR}/docs")
run_step("reading the documentation" "${PYTHON}" "${RSD_SOURCE_DIR}/tests/docs_programs.py" "${docs}"
         "${RSD_SOURCE_DIR}/README.md" "${RSD_SOURCE_DIR}/docs/library.md")
string(REGEX MATCHALL "[^\n]+" programs "${output}")
run_step("configuring the programs of the documentation" "${CMAKE_COMMAND}" -G "${GENERATOR}"
         -S "${docs}" -B "${docs}/build" -D "CMAKE_PREFIX_PATH=${prefix}"
         -D "CMAKE_BUILD_TYPE=${BUILD_TYPE}" -D "CMAKE_CXX_COMPILER=${CXX_COMPILER}"
         -D "CMAKE_CXX_FLAGS=${CXX_FLAGS}")
run_step("building the programs of the documentation" "${CMAKE_COMMAND}" --build "${docs}/build"
         --parallel 2)
file(COPY_FILE "${model}" "${docs}/model.gguf")
foreach(program IN LISTS programs)
  run_step("${program}" "${CMAKE_COMMAND}" -E chdir "${docs}" "${docs}/build/${program}")
endforeach()
