# What the packages of a distribution hold, and how CPack makes those of Debian. Preset `package`.
#
#   rsd          component program: the program, llama.cpp's libraries for it, the project's models, a
#                systemd unit, the manual page
#   librsd0.1    component library: librsd.so, which needs rsd's libraries and models
#   librsd-dev   component development: the header of the C interface
#
# For another distribution: DESTDIR=… cmake --install build/package --component program, and so on.
set(RSD_PACKAGE_MAINTAINER "rsd maintainers <maintainers@rsd.invalid>" CACHE STRING
    "Who maintains the packages; the default is no address that mail reaches")
set(RSD_DEBIAN_REVISION 1 CACHE STRING "Revision of the Debian packages, after the version of rsd")

# llama.cpp's libraries lie in a folder of rsd's own: those of a distribution may be of another version.
# ggml looks for its kernels where its own library is.
set(RSD_PRIVATE_DIR "${CMAKE_INSTALL_LIBDIR}/rsd")
if(RSD_LLAMA_VENDORED AND BUILD_SHARED_LIBS)
  rsd_llama_libraries(libraries)
  rsd_make_private(${libraries})
  set_property(TARGET llama ggml PROPERTY PUBLIC_HEADER)
  install(TARGETS ${libraries} LIBRARY DESTINATION "${RSD_PRIVATE_DIR}" COMPONENT program)
  file(RELATIVE_PATH from_bin "/${CMAKE_INSTALL_BINDIR}" "/${RSD_PRIVATE_DIR}")
  set_target_properties(rsd PROPERTIES INSTALL_RPATH "$ORIGIN/${from_bin}")
  set_target_properties(rsd_c PROPERTIES INSTALL_RPATH "$ORIGIN/rsd")
endif()

# --- What each package has beside what is built ---------------------------------------------------

set(debian "${PROJECT_SOURCE_DIR}/packaging/debian")
set(here "${PROJECT_BINARY_DIR}/packaging")
string(TIMESTAMP RSD_PACKAGE_DATE "%a, %d %b %Y %H:%M:%S +0000" UTC)  # honours SOURCE_DATE_EPOCH
configure_file("${debian}/changelog.in" "${here}/changelog.Debian" @ONLY)
configure_file("${PROJECT_SOURCE_DIR}/CHANGELOG.md" "${here}/changelog" COPYONLY)
foreach(file changelog changelog.Debian)
  execute_process(COMMAND gzip --best --no-name --force --keep "${here}/${file}" COMMAND_ERROR_IS_FATAL ANY)
endforeach()
set(soname "${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")
foreach(package_of_component "program rsd" "library librsd${soname}" "development librsd-dev")
  separate_arguments(pair UNIX_COMMAND "${package_of_component}")
  list(GET pair 0 component)
  list(GET pair 1 package)
  install(FILES "${debian}/copyright" "${here}/changelog.gz" "${here}/changelog.Debian.gz"
          DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/doc/${package}" COMPONENT ${component})
endforeach()
install(FILES docs/cli.md docs/server.md DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/doc/rsd" COMPONENT program)
install(DIRECTORY examples/deploy DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/doc/rsd/examples"
        COMPONENT program)
install(FILES "${debian}/rsd.service" DESTINATION lib/systemd/system COMPONENT program)
install(FILES "${debian}/rsd.default" DESTINATION "${CMAKE_INSTALL_FULL_SYSCONFDIR}/default" RENAME rsd
        COMPONENT program)

find_program(RSD_HELP2MAN help2man)
mark_as_advanced(RSD_HELP2MAN)
if(RSD_HELP2MAN)
  add_custom_command(OUTPUT "${here}/rsd.1.gz" DEPENDS rsd "${debian}/rsd.h2m" VERBATIM
    COMMAND "${RSD_HELP2MAN}" --no-info --section=1 --version-string=${PROJECT_VERSION}
            "--name=rank candidates with an LLM" "--include=${debian}/rsd.h2m"
            "--output=${here}/rsd.1" $<TARGET_FILE:rsd>
    COMMAND gzip --best --no-name --force "${here}/rsd.1")
  add_custom_target(rsd_manual ALL DEPENDS "${here}/rsd.1.gz")
  install(FILES "${here}/rsd.1.gz" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1" COMPONENT program)
endif()

# --- Debian's packages ----------------------------------------------------------------------------

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME rsd)
set(CPACK_PACKAGE_CONTACT "${RSD_PACKAGE_MAINTAINER}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "rank texts with an LLM in a fixed number of passes")
set(CPACK_PACKAGE_DIRECTORY "${PROJECT_SOURCE_DIR}/build/packages")
set(CPACK_SET_DESTDIR ON)  # for /etc
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL program library development)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_PACKAGE_RELEASE "${RSD_DEBIAN_REVISION}")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ
    GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
# dpkg-shlibdeps finds rsd's own libraries here, and then leaves them to the line below.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${PROJECT_BINARY_DIR}/bin" "${PROJECT_BINARY_DIR}/bindings")
set(version "${PROJECT_VERSION}-${RSD_DEBIAN_REVISION}")

set(CPACK_DEBIAN_PROGRAM_PACKAGE_NAME rsd)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS "python3-pip")  # rsd model fetch
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS "gnuplot-nox")    # plots of rsd eval
set(CPACK_DEBIAN_PROGRAM_DESCRIPTION "An LLM that ranks K texts one by one takes K passes. rsd proposes a whole
ranking, lets the LLM verify all places in one pass, and reorders the rest, so
that two or three passes suffice. It ranks files of requests, and serves over
HTTP the routes of rerankers (Cohere, Jina, vLLM, text-embeddings-inference).
.
The LLM runs on the CPU, with kernels for each kind of x86-64, or on servers
of vLLM or SGLang.")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_CONTROL_EXTRA
    "${debian}/postinst;${debian}/prerm;${debian}/postrm;${debian}/conffiles")

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME "librsd${soname}")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_DEPENDS "rsd (= ${version})")
set(CPACK_DEBIAN_LIBRARY_DESCRIPTION "The C interface of rsd: a ranker that any number of threads share. The
libraries that compute the LLM and the project's models are in the package
rsd.")
# As Debian's own: what programs that link to it depend on, and a call of ldconfig.
file(WRITE "${here}/shlibs" "librsd ${soname} librsd${soname} (>= ${PROJECT_VERSION})\n")
file(WRITE "${here}/triggers" "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA "${here}/shlibs;${here}/triggers")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME librsd-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "librsd${soname} (= ${version})")
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION "The header rsd.h of the C interface of rsd, and its file for pkg-config.")
foreach(component PROGRAM LIBRARY DEVELOPMENT)
  set(CPACK_DEBIAN_${component}_FILE_NAME DEB-DEFAULT)
endforeach()
include(CPack)
