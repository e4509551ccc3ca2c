# libe3d_engine.so: Allegro models without torch (engine/). Needs a C++17 compiler and nothing else.
#
# engine/kernels/kernel.cpp is compiled once for each instruction set; the library picks one when it runs, so that one wheel
# serves every processor of its architecture.
#
#   e3d_engine_core   everything but the C interface, for the unit tests
#   e3d_engine        the shared library

include(CheckCXXCompilerFlag)
find_package(Threads REQUIRED)

set(E3D_ENGINE_DIR "${PROJECT_SOURCE_DIR}/engine")
file(GLOB E3D_ENGINE_SOURCES CONFIGURE_DEPENDS "${E3D_ENGINE_DIR}/*.cpp")
list(REMOVE_ITEM E3D_ENGINE_SOURCES "${E3D_ENGINE_DIR}/c_api.cpp")

set(E3D_ENGINE_SETS baseline)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
  check_cxx_compiler_flag(-mavx512dq E3D_ENGINE_COMPILES_AVX512)
  if(E3D_ENGINE_COMPILES_AVX512)
    list(APPEND E3D_ENGINE_SETS avx2 avx512)
  endif()
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  list(APPEND E3D_ENGINE_SETS neon)   # every aarch64 has it: `baseline` is the same code, without its name
endif()
set(E3D_ENGINE_FLAGS_avx2 -mavx2 -mfma)
set(E3D_ENGINE_FLAGS_avx512 -mavx2 -mfma -mavx512f -mavx512vl -mavx512dq -mavx512bw -mprefer-vector-width=512)

# With sanitizers -O1 stays: at -O3 a compiler takes minutes over each set. A debug build is for debugging.
set(E3D_ENGINE_OPTIMIZE -O3)
if(E3D_SANITIZE)
  set(E3D_ENGINE_OPTIMIZE -O1)
elseif(CMAKE_BUILD_TYPE STREQUAL "Debug")
  set(E3D_ENGINE_OPTIMIZE -O0)
endif()
set(E3D_ENGINE_OBJECTS)
set(E3D_ENGINE_DEFINITIONS)
foreach(set IN LISTS E3D_ENGINE_SETS)
  add_library(e3d_engine_${set} OBJECT "${E3D_ENGINE_DIR}/kernels/kernel.cpp")
  target_compile_features(e3d_engine_${set} PRIVATE cxx_std_17)
  target_include_directories(e3d_engine_${set} PRIVATE "${E3D_ENGINE_DIR}" "${E3D_ENGINE_DIR}/kernels")
  # Contraction only where the kernels say so: a centre has the same bits in every tile of every loop.
  target_compile_options(e3d_engine_${set} PRIVATE -Wall -Wextra ${E3D_ENGINE_OPTIMIZE} -ffp-contract=off -fno-math-errno ${E3D_ENGINE_FLAGS_${set}})
  target_compile_definitions(e3d_engine_${set} PRIVATE E3D_ISA=${set})
  set_target_properties(e3d_engine_${set} PROPERTIES CXX_VISIBILITY_PRESET hidden)
  list(APPEND E3D_ENGINE_OBJECTS $<TARGET_OBJECTS:e3d_engine_${set}>)
  list(APPEND E3D_ENGINE_DEFINITIONS E3D_ENGINE_HAS_${set})
endforeach()

add_library(e3d_engine_core STATIC ${E3D_ENGINE_SOURCES} ${E3D_ENGINE_OBJECTS})
target_compile_features(e3d_engine_core PUBLIC cxx_std_17)
target_compile_options(e3d_engine_core PRIVATE -Wall -Wextra)
target_compile_definitions(e3d_engine_core PRIVATE ${E3D_ENGINE_DEFINITIONS})
target_include_directories(e3d_engine_core PUBLIC "${E3D_ENGINE_DIR}" "${E3D_ENGINE_DIR}/include")
target_include_directories(e3d_engine_core SYSTEM PRIVATE "${PROJECT_SOURCE_DIR}/third_party")
target_link_libraries(e3d_engine_core PUBLIC Threads::Threads)
set_target_properties(e3d_engine_core PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)

add_library(e3d_engine SHARED "${E3D_ENGINE_DIR}/c_api.cpp")
target_compile_options(e3d_engine PRIVATE -Wall -Wextra)
target_link_libraries(e3d_engine PRIVATE e3d_engine_core)
target_include_directories(e3d_engine INTERFACE "${E3D_ENGINE_DIR}/include")
set_target_properties(e3d_engine PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
                      LIBRARY_OUTPUT_DIRECTORY "${E3D_LIBRARY_DIR}")
install(TARGETS e3d_engine LIBRARY DESTINATION "${E3D_INSTALL_DIR}")
