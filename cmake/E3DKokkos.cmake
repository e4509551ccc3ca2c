# libe3d_kk.so, the /kk styles, for the LAMMPS of LAMMPS_BUILD: they share that build's Kokkos, its flags and its layout of
# arrays. Sets E3D_KOKKOS (ON where they are built) and E3D_KOKKOS_FACTS, what LAMMPS and they must have in common.
# LAMMPS holds the one Kokkos of the process. libe3d_kk.so takes headers and flags from it and links no library of it: two
# copies give right numbers and then fail at the end of the run.

set(E3D_KOKKOS OFF)
set(E3D_KOKKOS_FACTS "none")
if(NOT LAMMPS_BUILD)
  message(STATUS "KOKKOS: no /kk styles (for them give -DLAMMPS_BUILD=, the build folder of LAMMPS)")
  return()
endif()

foreach(_name IN ITEMS PKG_KOKKOS KOKKOS_PREC KOKKOS_LAYOUT EXTERNAL_KOKKOS Kokkos_DIR CMAKE_CXX_COMPILER)
  file(STRINGS "${E3D_LAMMPS_CACHES}" _line REGEX "^${_name}:")
  string(REGEX REPLACE "^[^=]*=" "" _lammps_${_name} "${_line}")
endforeach()
if(NOT _lammps_PKG_KOKKOS)
  message(STATUS "KOKKOS: no /kk styles, LAMMPS_BUILD was configured without -DPKG_KOKKOS=on")
  return()
endif()

# ---- what it takes
if(CMAKE_VERSION VERSION_LESS 3.27)
  message(FATAL_ERROR "The /kk styles need CMake 3.27, this is ${CMAKE_VERSION}. Type: pip install 'cmake>=3.27'")
endif()
if(NOT E3D_LAMMPS_VERSION MATCHES "^([0-9]+) ([A-Z][a-z][a-z]) ([0-9]+)$")
  message(FATAL_ERROR "src/version.h of LAMMPS says '${E3D_LAMMPS_VERSION}', expected a date such as '4 Jul 2026'.")
endif()
list(FIND E3D_MONTHS "${CMAKE_MATCH_2}" _month)
math(EXPR _date "${CMAKE_MATCH_3} * 10000 + (${_month} + 1) * 100 + ${CMAKE_MATCH_1}")
if(_date LESS 20250910)    # KK_FLOAT and its kin came then
  message(FATAL_ERROR "The /kk styles need LAMMPS 10 Sep 2025 or newer, and LAMMPS_BUILD is of ${E3D_LAMMPS_VERSION}. Take a newer "
    "LAMMPS, or leave LAMMPS_BUILD out: the other styles work in this one, also with KOKKOS on.")
endif()
if(NOT _lammps_CMAKE_CXX_COMPILER STREQUAL CMAKE_CXX_COMPILER)
  message(WARNING "LAMMPS was built with ${_lammps_CMAKE_CXX_COMPILER}, and this is ${CMAKE_CXX_COMPILER}. If libe3d_kk.so does not load, "
    "type cmake -DCMAKE_CXX_COMPILER=${_lammps_CMAKE_CXX_COMPILER} ...")
endif()

if(_lammps_EXTERNAL_KOKKOS)
  find_package(Kokkos CONFIG REQUIRED PATHS "${_lammps_Kokkos_DIR}" NO_DEFAULT_PATH)
else()
  find_package(Kokkos CONFIG REQUIRED PATHS "${LAMMPS_BUILD}/lib/kokkos" NO_DEFAULT_PATH)
endif()
string(TOLOWER "${_lammps_KOKKOS_PREC}" E3D_KOKKOS_PRECISION)
string(TOLOWER "${_lammps_KOKKOS_LAYOUT}" E3D_KOKKOS_LAYOUT)
set(_definition_double DOUBLE_DOUBLE)
set(_definition_mixed SINGLE_DOUBLE)
set(_definition_single SINGLE_SINGLE)
if(NOT DEFINED _definition_${E3D_KOKKOS_PRECISION})
  message(FATAL_ERROR "LAMMPS_BUILD has KOKKOS_PREC=${_lammps_KOKKOS_PREC}: expected double, mixed or single.")
endif()
string(TOUPPER "${E3D_KOKKOS_LAYOUT}" _layout)
set(E3D_KOKKOS ON)
set(E3D_KOKKOS_FACTS "${Kokkos_VERSION} ${E3D_KOKKOS_PRECISION} ${E3D_KOKKOS_LAYOUT} ${Kokkos_DEVICES}")
message(STATUS "KOKKOS: Kokkos ${Kokkos_VERSION}, ${E3D_KOKKOS_PRECISION} precision, ${E3D_KOKKOS_LAYOUT} layout, ${Kokkos_DEVICES} ${Kokkos_ARCH}")

# ---- libe3d_kk.so
# Of the engine what reads, folds and tabulates a model; its kernels are for CPUs.
file(GLOB _sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/lammps_plugin/kokkos/*.cpp")
foreach(_name IN ITEMS folded_model matrix metadata model_file radial_basis safetensors tables two_body)
  list(APPEND _sources "${PROJECT_SOURCE_DIR}/engine/${_name}.cpp")
endforeach()
if(NOT _lammps_EXTERNAL_KOKKOS)
  # Of a static Kokkos LAMMPS holds only what its own styles call; this file has the rest of what a style may, and no state.
  file(STRINGS "${LAMMPS_BUILD}/CMakeCache.txt" _line REGEX "^CMAKE_HOME_DIRECTORY:")
  string(REGEX REPLACE "^[^=]*=(.*)/cmake/?$" "\\1" _source "${_line}")
  list(APPEND _sources "${_source}/lib/kokkos/core/src/impl/Kokkos_ExecPolicy.cpp")
endif()
add_library(e3d_kk SHARED ${_sources})
target_compile_features(e3d_kk PRIVATE cxx_std_20)
set_target_properties(e3d_kk PROPERTIES CXX_SCAN_FOR_MODULES OFF)
target_compile_options(e3d_kk PRIVATE -Wall -Wextra $<$<BOOL:${E3D_HAS_PREFIX_MAP}>:${E3D_PREFIX_MAP}>)
target_include_directories(e3d_kk PRIVATE "${PROJECT_SOURCE_DIR}/lammps_plugin" "${PROJECT_SOURCE_DIR}/lammps_plugin/kokkos"
                           "${PROJECT_SOURCE_DIR}")
target_include_directories(e3d_kk SYSTEM PRIVATE "${PROJECT_SOURCE_DIR}/third_party")
get_target_property(_headers LAMMPS::headers INTERFACE_INCLUDE_DIRECTORIES)
target_include_directories(e3d_kk SYSTEM PRIVATE "${_headers}/KOKKOS")
target_compile_definitions(e3d_kk PRIVATE LMP_KOKKOS LMP_KOKKOS_${_definition_${E3D_KOKKOS_PRECISION}} LMP_KOKKOS_LAYOUT_${_layout})
target_link_libraries(e3d_kk PRIVATE LAMMPS::headers E3D::mpi E3D::tables $<COMPILE_ONLY:Kokkos::kokkos>)
target_link_options(e3d_kk PRIVATE $<TARGET_PROPERTY:Kokkos::kokkoscore,INTERFACE_LINK_OPTIONS>)
find_package(OpenMP COMPONENTS CXX)
if("OPENMP" IN_LIST Kokkos_DEVICES AND OpenMP_CXX_FOUND)
  target_link_libraries(e3d_kk PRIVATE OpenMP::OpenMP_CXX)
endif()
if(NOT Kokkos_CXX_COMPILER STREQUAL CMAKE_CXX_COMPILER AND COMMAND kokkos_compilation AND Kokkos_DEVICES MATCHES "CUDA|HIP")
  kokkos_compilation(TARGET e3d_kk)     # the rest of the project keeps its own compiler
endif()
set(_exports "${PROJECT_SOURCE_DIR}/cmake/libe3d_kk.exports")
target_link_libraries(e3d_kk PRIVATE "-Wl,--version-script=${_exports}")
set_target_properties(e3d_kk PROPERTIES OUTPUT_NAME e3d_kk LIBRARY_OUTPUT_DIRECTORY "${E3D_LIBRARY_DIR}" LINK_DEPENDS "${_exports}")
