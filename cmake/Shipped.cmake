# What is built to run on other machines: the Python wheel (bindings/python/wheel.cmake) and the packages
# of a distribution (packaging/packages.cmake).
#
# Nothing of it names a path of the machine that builds: there it would mean nothing, or be a folder
# that somebody else can write to. tests/support/build_paths.py looks for such paths.
#
# Both compile llama.cpp with the same options, and the same compiler by the same name, so that ccache has
# what the other has compiled: it is most of the time of a build.
if(RSD_PYTHON_WHEEL OR RSD_SYSTEM_PACKAGE)
  set(RSD_SHIPPED ON)
else()
  set(RSD_SHIPPED OFF)
endif()

# The compiler writes `name` for this folder, in what assertions print of their source. For what is
# added from now on.
macro(rsd_hide_path folder name)
  if(RSD_SHIPPED)
    add_compile_options("-ffile-prefix-map=${folder}=${name}")
  endif()
endmacro()

# Sets `out` to the targets of llama.cpp and ggml that librsd.so and rsd load: with
# RSD_CPU_FEATURES=variants these are shared libraries, among them the kernels for each kind of CPU and,
# with RSD_RPC, the devices of other machines.
function(rsd_llama_libraries out)
  set(libraries llama ggml ggml-base)
  get_target_property(dependencies ggml MANUALLY_ADDED_DEPENDENCIES)
  foreach(kernels IN LISTS dependencies)
    get_target_property(is_empty ${kernels} RSD_IS_EMPTY)
    if(kernels MATCHES "^ggml-(cpu|rpc)" AND NOT is_empty)
      list(APPEND libraries ${kernels})
    endif()
  endforeach()
  set(${out} ${libraries} PARENT_SCOPE)
endfunction()

# Makes the targets libraries of rsd's own: without versions in their names, in one folder, in which they
# find each other.
function(rsd_make_private)
  foreach(library IN LISTS ARGN)
    set_property(TARGET ${library} PROPERTY VERSION)
    set_property(TARGET ${library} PROPERTY SOVERSION)
    set_target_properties(${library} PROPERTIES INSTALL_RPATH "$ORIGIN")
  endforeach()
endfunction()

# Installs, below `folder`, the default models' adapters, the agent, and example requests, on some of which
# a prepared model is checked.
function(rsd_install_models folder component)
  install(FILES "${PROJECT_SOURCE_DIR}/models/smollm2-135m-rank-lora.gguf"
                "${PROJECT_SOURCE_DIR}/models/smollm2-135m-rank-blocks-lora.gguf"
                "${PROJECT_SOURCE_DIR}/models/agent.gguf"
          DESTINATION "${folder}/models" COMPONENT ${component})
  install(FILES "${PROJECT_SOURCE_DIR}/examples/passages.jsonl"
                "${PROJECT_SOURCE_DIR}/examples/questions.jsonl"
                "${PROJECT_SOURCE_DIR}/examples/recommendations.jsonl"
          DESTINATION "${folder}/examples" COMPONENT ${component})
endfunction()
