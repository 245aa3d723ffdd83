# Run by ctest (see CMakeLists.txt): install, find_package(rsd), build the example, run it.
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
run_step("configuring the example" "${CMAKE_COMMAND}" -G "${GENERATOR}"
         -S "${RSD_SOURCE_DIR}/examples/embed" -B "${WORK_DIR}/build"
         -D "CMAKE_PREFIX_PATH=${prefix}" -D "CMAKE_BUILD_TYPE=${BUILD_TYPE}"
         -D "CMAKE_CXX_COMPILER=${CXX_COMPILER}" -D "CMAKE_CXX_FLAGS=${CXX_FLAGS}")
run_step("building the example" "${CMAKE_COMMAND}" --build "${WORK_DIR}/build" --parallel 2)
run_step("the example" "${WORK_DIR}/build/embed")

set(expected "ranking: coffee tea water juice\nencodings: 2, known for sure: 2 of 4\n")
if(NOT output STREQUAL expected)
  message(FATAL_ERROR "the example printed\n${output}instead of\n${expected}")
endif()
