# E3D_LAYER_OBJECTS: E3D_LAYER_SOURCES, compiled once for each instruction set. The library picks one when it runs, so that one wheel
# serves every processor of its architecture.
#
#   E3D_LAYER_DEFINITIONS   what the file that picks one must know

include(CheckCXXCompilerFlag)

set(E3D_LAYER_SOURCES "${PROJECT_SOURCE_DIR}/lammps_plugin/model/torch/layer_kernels.cpp"
    "${PROJECT_SOURCE_DIR}/lammps_plugin/model/torch/training_kernels.cpp")
set(E3D_LAYER_SETS baseline)
set(E3D_LAYER_DEFINITIONS)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
  check_cxx_compiler_flag(-mavx512dq E3D_HAS_AVX512)
  if(E3D_HAS_AVX512)
    list(APPEND E3D_LAYER_SETS avx2 avx512)
    list(APPEND E3D_LAYER_DEFINITIONS E3D_X86)
  endif()
endif()
set(E3D_FLAGS_avx2 -mavx2 -mfma)
set(E3D_FLAGS_avx512 -mavx512f -mavx512vl -mavx512dq -mfma -mprefer-vector-width=512)

foreach(set IN LISTS E3D_LAYER_SETS)
  add_library(e3d_layer_kernels_${set} OBJECT ${E3D_LAYER_SOURCES})
  target_compile_features(e3d_layer_kernels_${set} PRIVATE cxx_std_17)
  target_include_directories(e3d_layer_kernels_${set} PRIVATE "${E3D_PLUGIN_DIR}")
  target_compile_options(e3d_layer_kernels_${set} PRIVATE -Wall -Wextra -O3 -fopenmp-simd ${E3D_FLAGS_${set}})
  target_compile_definitions(e3d_layer_kernels_${set} PRIVATE E3D_ISA=${set})
  set_target_properties(e3d_layer_kernels_${set} PROPERTIES CXX_VISIBILITY_PRESET hidden)
  list(APPEND E3D_LAYER_OBJECTS $<TARGET_OBJECTS:e3d_layer_kernels_${set}>)
endforeach()
