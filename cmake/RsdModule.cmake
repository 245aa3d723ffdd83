# rsd_add_module(<name> SOURCES … [HEADERS …] [INTERNAL_HEADERS …] [LINKS …] [THIRD_PARTY …]
#                [TESTS …] [TEST_LINKS …] [TEST_LABELS …])
#
# HEADERS are installed; INTERNAL_HEADERS are for the programs of this project, and may change. Both lie
# in include/rsd/<name>.
#
# One static library a module, with the alias rsd::<name>. LINKS are modules (public, the arrows of
# ARCHITECTURE.md), THIRD_PARTY libraries stay private: no public header names their types.
# TESTS become one executable, rsd_<name>_test, which links TEST_LINKS too.

# Last on the command line, and not for llama.cpp: ./dev mutants compiles our own sources quickly.
set(RSD_COMPILE_OPTIONS "" CACHE STRING "More compiler options for rsd's modules and their tests")

function(rsd_set_warnings target)
  # Designated initialisers leave the rest to the defaults on purpose.
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                           -Wno-sign-conversion -Wno-missing-field-initializers)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # False alarms about std::string: GCC bugs 105651 and 105562.
    target_compile_options(${target} PRIVATE -Wno-restrict -Wno-maybe-uninitialized)
  endif()
  if(RSD_WARNINGS_AS_ERRORS)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

# With RSD_UNITY_BUILD, up to 16 sources of the target are compiled as one: they parse the headers once.
function(rsd_compile_together target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${RSD_UNITY_BUILD} UNITY_BUILD_BATCH_SIZE 16)
endfunction()

# Each of the headers must compile on its own (all_verify_interface_header_sets).
function(rsd_verify_headers target)
  add_library(${target}_headers INTERFACE)
  set_target_properties(${target}_headers PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  target_sources(${target}_headers INTERFACE FILE_SET HEADERS BASE_DIRS
                 "${PROJECT_SOURCE_DIR}/include" "${PROJECT_BINARY_DIR}/src/generated/include" FILES ${ARGN})
  target_link_libraries(${target}_headers INTERFACE ${target})
endfunction()

function(rsd_add_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;HEADERS;INTERNAL_HEADERS;LINKS;THIRD_PARTY;TESTS;TEST_LINKS;TEST_LABELS" ${ARGN})
  set(target rsd_${name})
  add_library(${target} STATIC ${ARG_SOURCES})
  add_library(rsd::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} POSITION_INDEPENDENT_CODE ON)
  rsd_compile_together(${target})
  target_include_directories(${target} PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>"
                                              "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>")
  list(TRANSFORM ARG_HEADERS PREPEND "${PROJECT_SOURCE_DIR}/include/rsd/${name}/")
  list(TRANSFORM ARG_INTERNAL_HEADERS PREPEND "${PROJECT_SOURCE_DIR}/include/rsd/${name}/")
  rsd_verify_headers(${target} ${ARG_HEADERS} ${ARG_INTERNAL_HEADERS})
  set_property(GLOBAL APPEND PROPERTY RSD_INSTALLED_HEADERS ${ARG_HEADERS})
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/src")
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_link_libraries(${target} PUBLIC ${ARG_LINKS})
  foreach(library ${ARG_THIRD_PARTY})
    target_link_libraries(${target} PRIVATE ${library})
  endforeach()
  rsd_set_warnings(${target})
  target_compile_options(${target} PRIVATE ${RSD_COMPILE_OPTIONS})
  set_property(GLOBAL APPEND PROPERTY RSD_MODULES ${target})
  if(RSD_BUILD_TESTS AND ARG_TESTS)
    rsd_add_test(${target}_test SOURCES ${ARG_TESTS} LABELS ${ARG_TEST_LABELS}
                 LINKS ${target} ${ARG_THIRD_PARTY} ${ARG_TEST_LINKS})
  endif()
endfunction()

# rsd_add_test(<executable> SOURCES … LINKS … [LABELS …]): every TEST becomes a test of ctest. Labels:
# unit (the default; pure, all of them in seconds), model (needs a model file), program, page, slow.
# They run in the source folder, so that paths in failures and fixtures are relative to it.
function(rsd_add_test executable)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS;LABELS" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  add_executable(${executable} ${ARG_SOURCES})
  target_include_directories(${executable} PRIVATE "${PROJECT_SOURCE_DIR}/src"
                                                   "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(${executable} PRIVATE ${ARG_LINKS} GTest::gmock GTest::gtest_main)
  rsd_set_warnings(${executable})
  # Three fifths of a build are tests, whose own code hardly takes time: they are optimised less.
  target_compile_options(${executable} PRIVATE ${RSD_COMPILE_OPTIONS} $<$<CONFIG:Release>:-O1>)
  set(properties TIMEOUT 900 LABELS "${ARG_LABELS}")
  set(discovery WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" DISCOVERY_TIMEOUT 60)
  if("model" IN_LIST ARG_LABELS)
    # The default model's threads wait for each other: beside another test a pass takes many times as long.
    gtest_discover_tests(${executable} ${discovery} TEST_FILTER "-DefaultModel*" PROPERTIES ${properties})
    gtest_discover_tests(${executable} ${discovery} TEST_FILTER "DefaultModel*"
                         PROPERTIES ${properties} PROCESSORS 2)
  else()
    gtest_discover_tests(${executable} ${discovery} PROPERTIES ${properties})
  endif()
endfunction()
