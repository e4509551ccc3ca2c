# C++ unit tests of the engine: every tests/cpp/engine/test_*.cpp becomes one program and one ctest "engine_*". A test passes
# when it exits 0. All are of the target e3d_unit_tests. The reader is fuzzed for some seconds with sanitizers.

set(E3D_ENGINE_TESTS "${PROJECT_SOURCE_DIR}/tests/cpp/engine")
file(GLOB _tests CONFIGURE_DEPENDS "${E3D_ENGINE_TESTS}/test_*.cpp")
if(NOT _tests)
  message(FATAL_ERROR "E3D_TESTS=ON, but tests/cpp/engine holds no test_*.cpp.")
endif()
foreach(_test IN LISTS _tests)
  get_filename_component(_file "${_test}" NAME_WE)
  string(REPLACE "test_" "engine_" _name "${_file}")
  add_executable(${_name} "${_test}")
  target_compile_options(${_name} PRIVATE -Wall -Wextra)
  target_include_directories(${_name} PRIVATE "${PROJECT_SOURCE_DIR}/tests/cpp" "${E3D_ENGINE_TESTS}")
  target_link_libraries(${_name} PRIVATE e3d_engine_core)
  set_target_properties(${_name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  add_dependencies(e3d_unit_tests ${_name})
  add_test(NAME ${_name} COMMAND ${_name} WORKING_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  set_tests_properties(${_name} PROPERTIES TIMEOUT 600)
endforeach()
target_link_libraries(engine_c_api PRIVATE e3d_engine)   # through the shared library, as everybody else

# ten minutes by hand: build/ctest/tests/engine_fuzz 600
set(_reader safetensors model_file metadata folded_model matrix)
list(TRANSFORM _reader PREPEND "${E3D_ENGINE_DIR}/")
list(TRANSFORM _reader APPEND ".cpp")
add_executable(engine_fuzz "${E3D_ENGINE_TESTS}/fuzz_model_file.cpp" ${_reader})
target_compile_features(engine_fuzz PRIVATE cxx_std_17)
target_compile_definitions(engine_fuzz PRIVATE E3D_FUZZ_ALONE)
target_compile_options(engine_fuzz PRIVATE -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all)
target_link_options(engine_fuzz PRIVATE -fsanitize=address,undefined)
target_include_directories(engine_fuzz PRIVATE "${E3D_ENGINE_DIR}" "${E3D_ENGINE_TESTS}")
target_include_directories(engine_fuzz SYSTEM PRIVATE "${PROJECT_SOURCE_DIR}/third_party")
set_target_properties(engine_fuzz PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
add_dependencies(e3d_unit_tests engine_fuzz)
add_test(NAME engine_fuzz COMMAND engine_fuzz 5)
set_tests_properties(engine_fuzz PROPERTIES TIMEOUT 120)

# No inline code that another object file could bring, too: the linker keeps one copy of such code, and if it were compiled for
# AVX-512 it would run on processors that have none.
if(E3D_SANITIZE)   # brings code of its own
  return()
endif()
foreach(set IN LISTS E3D_ENGINE_SETS)
  add_test(NAME engine_no_shared_code_${set}
           COMMAND sh -c "! \"$0\" -C \"$1\" | grep ' [VWuvw] ' | grep -v 'e3d::engine::${set}::'" "${CMAKE_NM}"
                   $<TARGET_OBJECTS:e3d_engine_${set}>)
endforeach()
