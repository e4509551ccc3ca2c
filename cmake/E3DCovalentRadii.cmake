# Turns the table of covalent radii that Python reads into the header covalent_radii.h, so that both sides have one table.
# Defines the target E3D::covalent_radii.

set(_table "${PROJECT_SOURCE_DIR}/python/e3d_lmp/data/covalent_radii.txt")
if(NOT EXISTS "${_table}")
  message(FATAL_ERROR "${_table} is missing. Take a complete copy of the e3d-lmp sources.")
endif()
set_property(DIRECTORY "${PROJECT_SOURCE_DIR}" APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${_table}")

file(STRINGS "${_table}" _lines)
set(_entries "")
set(_count 0)
foreach(_line IN LISTS _lines)
  string(REGEX REPLACE "#.*$" "" _line "${_line}")
  string(STRIP "${_line}" _line)
  if(_line STREQUAL "")
    continue()
  endif()
  if(NOT _line MATCHES "^([A-Z][a-z]?)[ \t]+([0-9]+\\.?[0-9]*)$")
    message(FATAL_ERROR "${_table}: expected lines 'El R' (R in angstrom), got '${_line}'.")
  endif()
  string(APPEND _entries "    {\"${CMAKE_MATCH_1}\", ${CMAKE_MATCH_2}},\n")
  math(EXPR _count "${_count} + 1")
endforeach()
if(_count EQUAL 0)
  message(FATAL_ERROR "${_table} holds no radii; expected lines 'El R' (R in angstrom).")
endif()

file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/generated/covalent_radii.h" @ONLY CONTENT
"// Made by CMake from python/e3d_lmp/data/covalent_radii.txt: change that file, not this one.
#ifndef E3D_COVALENT_RADII_H
#define E3D_COVALENT_RADII_H

namespace E3D {

/// Covalent radius of one element; radius in angstrom.
struct CovalentRadius {
  const char *element;
  double radius;
};

inline constexpr CovalentRadius covalent_radii[] = {
@_entries@};

}    // namespace E3D

#endif
")
add_library(E3D::covalent_radii INTERFACE IMPORTED)
set_target_properties(E3D::covalent_radii PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${PROJECT_BINARY_DIR}/generated")
message(STATUS "covalent radii: ${_count} elements")
