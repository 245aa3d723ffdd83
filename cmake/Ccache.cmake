# Compile through ccache where it is present, unless the user chose a launcher.
find_program(RSD_CCACHE ccache)
mark_as_advanced(RSD_CCACHE)
if(RSD_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER "${RSD_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${RSD_CCACHE}")
endif()
