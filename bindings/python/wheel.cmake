# What goes into the wheel, below rsd/_native: librsd.so with llama.cpp's libraries and ggml's kernels for
# each kind of CPU, the program, and the project's own models. A wheel has no symbolic links, so the
# libraries have no versions in their names; they find each other by where they lie.
rsd_llama_libraries(libraries)
list(APPEND libraries rsd_c)
rsd_make_private(${libraries})
set_property(TARGET llama ggml PROPERTY PUBLIC_HEADER)  # none are installed
set_target_properties(rsd PROPERTIES INSTALL_RPATH "$ORIGIN/../lib")
set(native rsd/_native)
install(TARGETS ${libraries} LIBRARY DESTINATION ${native}/lib COMPONENT python)
install(TARGETS rsd RUNTIME DESTINATION ${native}/bin COMPONENT python)
rsd_install_models(${native}/share/rsd python)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION ${native}/share/doc/rsd COMPONENT python)
install(FILES "${RSD_LLAMA_SOURCE_DIR}/LICENSE" DESTINATION ${native}/share/doc/llama.cpp
        COMPONENT python)
