# C++ unit tests: every tests/cpp/test_*.cpp becomes one program and one ctest of that name. A test passes when it exits 0.
# They run beside the plugin's libraries (a test that opens libe3d_model.so finds it in its own folder).

enable_testing()
file(GLOB _tests CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/cpp/test_*.cpp")
if(NOT _tests)
  message(FATAL_ERROR "E3D_TESTS=ON, but tests/cpp holds no test_*.cpp.")
endif()

# A static archive: only the objects that a test names are linked, so tests of the core need no LAMMPS library.
add_library(e3d_core STATIC $<TARGET_OBJECTS:e3d_styles>)
target_link_libraries(e3d_core PUBLIC ${CMAKE_DL_LIBS})
foreach(_test IN LISTS _tests)
  get_filename_component(_name "${_test}" NAME_WE)
  add_executable(${_name} "${_test}")
  target_compile_options(${_name} PRIVATE -Wall -Wextra)
  target_link_libraries(${_name} PRIVATE e3d_core LAMMPS::headers E3D::mpi E3D::tables)
  target_include_directories(${_name} PRIVATE "${PROJECT_SOURCE_DIR}/lammps_plugin")
  target_compile_features(${_name} PRIVATE cxx_std_17)
  set_target_properties(${_name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${E3D_LIBRARY_DIR}")
  add_dependencies(${_name} e3d_model)
  add_test(NAME ${_name} COMMAND ${_name})
  set_tests_properties(${_name} PROPERTIES ENVIRONMENT "E3D_LIBRARY_DIR=${E3D_LIBRARY_DIR};OMP_NUM_THREADS=1" TIMEOUT 120)
endforeach()
