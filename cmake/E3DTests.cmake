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
