# Turns the table of bond energies of the package into the header bond_energies.h.
# Defines the target E3D::bond_energies.

set(_table "${PROJECT_SOURCE_DIR}/python/e3d_lmp/data/bond_energies.txt")
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
  if(NOT _line MATCHES "^([A-Z][a-z]?-[A-Z][a-z]?)[ \t]+([0-9]+\\.?[0-9]*)$")
    message(FATAL_ERROR "${_table}: expected lines 'C-H 413' (kJ/mol), got '${_line}'.")
  endif()
  string(APPEND _entries "    {\"${CMAKE_MATCH_1}\", ${CMAKE_MATCH_2}},\n")
  math(EXPR _count "${_count} + 1")
endforeach()
if(_count EQUAL 0)
  message(FATAL_ERROR "${_table} holds no energies; expected lines 'C-H 413' (kJ/mol).")
endif()

file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/generated/bond_energies.h" @ONLY CONTENT
"// Made by CMake from python/e3d_lmp/data/bond_energies.txt: change that file, not this one.
#ifndef E3D_BOND_ENERGIES_H
#define E3D_BOND_ENERGIES_H

namespace E3D {

/// Average enthalpy of the single bond of a pair label; energy in kJ/mol.
struct BondEnergy {
  const char *label;
  double energy;
};

inline constexpr BondEnergy bond_energies[] = {
@_entries@};

}    // namespace E3D

#endif
")
add_library(E3D::bond_energies INTERFACE IMPORTED)
set_target_properties(E3D::bond_energies PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${PROJECT_BINARY_DIR}/generated")
message(STATUS "bond energies: ${_count} pairs")
