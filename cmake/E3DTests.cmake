# C++ unit tests: every tests/cpp/FOLDER/test_*.cpp becomes one program and one ctest of that name. A test passes when it exits 0.
# They are the target e3d_unit_tests, which needs no torch to be built.

enable_testing()
file(GLOB _tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/cpp/*/test_*.cpp")
list(FILTER _tests EXCLUDE REGEX "/tests/cpp/(engine|kokkos)/")   # E3DEngineTests, E3DKokkosTests
if(NOT _tests)
  message(FATAL_ERROR "E3D_TESTS=ON, but tests/cpp holds no folder with test_*.cpp.")
endif()

# A static archive: only the objects that a test names are linked, so that no test needs a LAMMPS or MPI library.
add_library(e3d_tested STATIC $<TARGET_OBJECTS:e3d_core> $<TARGET_OBJECTS:e3d_edge_kernel>)
target_link_libraries(e3d_tested PUBLIC e3d_engine ${CMAKE_DL_LIBS})
add_custom_target(e3d_unit_tests)
foreach(_test IN LISTS _tests)
  get_filename_component(_name "${_test}" NAME_WE)
  add_executable(${_name} "${_test}")
  target_compile_options(${_name} PRIVATE -Wall -Wextra)
  target_link_libraries(${_name} PRIVATE e3d_tested LAMMPS::headers E3D::mpi E3D::tables)
  target_include_directories(${_name} PRIVATE "${E3D_PLUGIN_DIR}" "${PROJECT_SOURCE_DIR}/edge_kernel"
                             "${PROJECT_SOURCE_DIR}/tests/cpp")
  target_compile_features(${_name} PRIVATE cxx_std_17)
  set_target_properties(${_name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  add_dependencies(e3d_unit_tests ${_name})
  add_test(NAME ${_name} COMMAND ${_name} WORKING_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
  set_tests_properties(${_name} PROPERTIES TIMEOUT 120)
endforeach()

# What a run reads, fuzzed for some seconds with sanitizers; ten minutes by hand: build/ctest/tests/fuzz_parsers 600
set(_parsers bonds/bond_cutoff bonds/bond_state bonds/bond_thresholds bonds/energy_map bonds/map_file bonds/pair_labels
             bonds/reference_map edges/edge_list model/padded_shape support/growing_file support/whole_file)
list(TRANSFORM _parsers PREPEND "${E3D_PLUGIN_DIR}/")
list(TRANSFORM _parsers APPEND ".cpp")
add_executable(fuzz_parsers "${PROJECT_SOURCE_DIR}/tests/cpp/fuzz/fuzz_parsers.cpp" ${_parsers}
                            "${PROJECT_SOURCE_DIR}/edge_kernel/row_text.cpp")
target_compile_options(fuzz_parsers PRIVATE -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined
                                            -fno-sanitize-recover=all)
target_link_options(fuzz_parsers PRIVATE -fsanitize=address,undefined)
target_link_libraries(fuzz_parsers PRIVATE LAMMPS::headers E3D::mpi E3D::tables)
target_include_directories(fuzz_parsers PRIVATE "${E3D_PLUGIN_DIR}" "${PROJECT_SOURCE_DIR}/edge_kernel")
target_compile_features(fuzz_parsers PRIVATE cxx_std_17)
set_target_properties(fuzz_parsers PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
add_dependencies(e3d_unit_tests fuzz_parsers)
add_test(NAME fuzz_parsers COMMAND fuzz_parsers 5 WORKING_DIRECTORY "${PROJECT_BINARY_DIR}/tests")
set_tests_properties(fuzz_parsers PROPERTIES TIMEOUT 120)
