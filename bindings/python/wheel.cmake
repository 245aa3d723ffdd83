# What goes into the wheel, below rsd/_native: librsd.so with llama.cpp's libraries and ggml's kernels for
# each kind of CPU, the program, and the project's own models. A wheel has no symbolic links, so the
# libraries have no versions in their names; they find each other by where they lie.
set(libraries rsd_c llama ggml ggml-base)
get_target_property(dependencies ggml MANUALLY_ADDED_DEPENDENCIES)
foreach(kernels IN LISTS dependencies)
  get_target_property(is_empty ${kernels} RSD_IS_EMPTY)
  if(kernels MATCHES "^ggml-cpu" AND NOT is_empty)
    list(APPEND libraries ${kernels})
  endif()
endforeach()
foreach(library IN LISTS libraries)
  set_property(TARGET ${library} PROPERTY VERSION)
  set_property(TARGET ${library} PROPERTY SOVERSION)
  set_target_properties(${library} PROPERTIES INSTALL_RPATH "$ORIGIN")
endforeach()
set_property(TARGET llama ggml PROPERTY PUBLIC_HEADER)  # none are installed
set_target_properties(rsd PROPERTIES INSTALL_RPATH "$ORIGIN/../lib")
set(native rsd/_native)
install(TARGETS ${libraries} LIBRARY DESTINATION ${native}/lib COMPONENT python)
install(TARGETS rsd RUNTIME DESTINATION ${native}/bin COMPONENT python)
install(FILES "${PROJECT_SOURCE_DIR}/models/smollm2-135m-rank-lora.gguf"
              "${PROJECT_SOURCE_DIR}/models/smollm2-135m-rank-blocks-lora.gguf"
              "${PROJECT_SOURCE_DIR}/models/agent.gguf"
        DESTINATION ${native}/share/rsd/models COMPONENT python)
install(FILES "${PROJECT_SOURCE_DIR}/examples/passages.jsonl"
              "${PROJECT_SOURCE_DIR}/examples/recommendations.jsonl"
        DESTINATION ${native}/share/rsd/examples COMPONENT python)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION ${native}/share/doc/rsd COMPONENT python)
install(FILES "${RSD_LLAMA_SOURCE_DIR}/LICENSE" DESTINATION ${native}/share/doc/llama.cpp
        COMPONENT python)
