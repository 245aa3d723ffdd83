# cmake --install: the program, the module libraries with their public headers, and a package for
# find_package(rsd), which gives rsd::decode, rsd::llm, … A vendored llama.cpp installs itself too.
# Components: program (rsd and the project's models), library (librsd.so), development (its header); the
# rest is C++'s and has no component.
include(CMakePackageConfigHelpers)
set(RSD_PACKAGE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/rsd")

# What modules link to in private, and how a user's project finds it again.
set(RSD_PACKAGE_OF_rsd::llama "llama CONFIG HINTS \"\${CMAKE_CURRENT_LIST_DIR}/..\"")
set(RSD_PACKAGE_OF_rsd::ggml "ggml CONFIG HINTS \"\${CMAKE_CURRENT_LIST_DIR}/..\"")
set(RSD_PACKAGE_OF_nlohmann_json::nlohmann_json "nlohmann_json")
set(RSD_PACKAGE_OF_yaml-cpp "yaml-cpp")
set(RSD_PACKAGE_OF_yaml-cpp::yaml-cpp "yaml-cpp")
set(RSD_PACKAGE_OF_spdlog::spdlog "spdlog")
set(RSD_PACKAGE_OF_OpenSSL::Crypto "OpenSSL COMPONENTS Crypto")
set(RSD_PACKAGE_OF_Threads::Threads "Threads")
set(RSD_PACKAGE_OF_CURL::libcurl "CURL")
set(RSD_PACKAGE_OF_simdjson::simdjson "simdjson")

# Targets of the vendored build, and their names once installed: install(EXPORT) refuses to mention
# a target of this build that it does not export. `rsd::llama` and `rsd::ggml` are
# made by rsdConfig.cmake.
set(RSD_INSTALLED_NAME_OF_llama "rsd::llama")
set(RSD_INSTALLED_NAME_OF_ggml "rsd::ggml")
set(RSD_INSTALLED_NAME_OF_ggml::ggml "rsd::ggml")

# Gives `module` separate links for the build and for its users where a vendored target is involved,
# and sets `out_packages` to the packages that its users need.
function(rsd_prepare_export module out_packages)
  get_target_property(links ${module} INTERFACE_LINK_LIBRARIES)
  if(NOT links)
    set(links "")
  endif()
  set(export_links "")
  set(packages "")
  foreach(link IN LISTS links)
    string(REGEX REPLACE "\\$<(LINK_ONLY|BUILD_INTERFACE|INSTALL_INTERFACE):|>" ""
           library "${link}")
    if(DEFINED RSD_INSTALLED_NAME_OF_${library})
      set(installed "${RSD_INSTALLED_NAME_OF_${library}}")
      list(APPEND export_links "$<BUILD_INTERFACE:$<LINK_ONLY:${library}>>"
                               "$<INSTALL_INTERFACE:$<LINK_ONLY:${installed}>>")
      set(library "${installed}")
    else()
      list(APPEND export_links "${link}")
    endif()
    if(DEFINED RSD_PACKAGE_OF_${library})
      list(APPEND packages "${RSD_PACKAGE_OF_${library}}")
    elseif(NOT library MATCHES "^rsd::")
      message(FATAL_ERROR
        "${module} links to ${library}: cmake/RsdInstall.cmake must know its package")
    endif()
  endforeach()
  list(REMOVE_DUPLICATES export_links)
  set_target_properties(${module} PROPERTIES INTERFACE_LINK_LIBRARIES "${export_links}")
  set(${out_packages} "${packages}" PARENT_SCOPE)
endfunction()

get_property(modules GLOBAL PROPERTY RSD_MODULES)
set(packages "")
foreach(module IN LISTS modules)
  rsd_prepare_export(${module} module_packages)
  list(APPEND packages ${module_packages})
endforeach()
list(REMOVE_DUPLICATES packages)
set(RSD_DEPENDENCIES "")
foreach(package IN LISTS packages)
  string(APPEND RSD_DEPENDENCIES "find_dependency(${package})\n")
endforeach()

install(TARGETS ${modules} EXPORT rsdTargets
        ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
# The headers that docs/versioning.md speaks of: those that rsd/ranker.h leads to, and a few beside it.
get_property(headers GLOBAL PROPERTY RSD_INSTALLED_HEADERS)
foreach(header IN LISTS headers)
  string(REGEX REPLACE "^.*/include/(rsd/.*)$" "\\1" name "${header}")
  cmake_path(GET name PARENT_PATH folder)
  install(FILES "${header}" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/${folder}")
endforeach()
install(EXPORT rsdTargets NAMESPACE rsd:: DESTINATION "${RSD_PACKAGE_DIR}")
install(TARGETS rsd RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT program)

configure_package_config_file(cmake/rsdConfig.cmake.in "${PROJECT_BINARY_DIR}/rsdConfig.cmake"
                              INSTALL_DESTINATION "${RSD_PACKAGE_DIR}"
                              NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/rsdConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)  # until 1.0
install(FILES "${PROJECT_BINARY_DIR}/rsdConfig.cmake" "${PROJECT_BINARY_DIR}/rsdConfigVersion.cmake"
        DESTINATION "${RSD_PACKAGE_DIR}")
rsd_install_models("${CMAKE_INSTALL_DATADIR}/rsd" program)
if(NOT RSD_SYSTEM_PACKAGE)  # a distribution has a file of its own for that
  install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}" OPTIONAL)
endif()
