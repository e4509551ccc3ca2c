# Turns tables of the Python package (python/e3d_lmp/data) into C++ headers, so that both sides have one table.
# Defines the target E3D::tables.

set(E3D_TABLES_DIR "${PROJECT_BINARY_DIR}/generated")

# data/NAME.txt, lines "KEY NUMBER", becomes NAME.h: an array NAME of STRUCT{KEY_FIELD, VALUE_FIELD}.
function(e3d_table name)
  cmake_parse_arguments(PARSE_ARGV 1 T "" "PATTERN;EXAMPLE;STRUCT;KEY;VALUE;COMMENT" "")
  set(_table "${PROJECT_SOURCE_DIR}/python/e3d_lmp/data/${name}.txt")
  if(NOT EXISTS "${_table}")
    message(FATAL_ERROR "${_table} is missing. Take a complete copy of the e3d-lmp sources.")
  endif()
  set_property(DIRECTORY "${PROJECT_SOURCE_DIR}" APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${_table}")

  file(STRINGS "${_table}" _lines)
  set(_entries "")
  foreach(_line IN LISTS _lines)
    string(REGEX REPLACE "#.*$" "" _line "${_line}")
    string(STRIP "${_line}" _line)
    if(_line STREQUAL "")
      continue()
    endif()
    if(NOT _line MATCHES "^(${T_PATTERN})[ \t]+([0-9]+\\.?[0-9]*)$")
      message(FATAL_ERROR "${_table}: expected lines ${T_EXAMPLE}, got '${_line}'.")
    endif()
    string(APPEND _entries "    {\"${CMAKE_MATCH_1}\", ${CMAKE_MATCH_2}},\n")
  endforeach()
  if(_entries STREQUAL "")
    message(FATAL_ERROR "${_table} is empty; expected lines ${T_EXAMPLE}.")
  endif()

  string(TOUPPER "E3D_${name}_H" _guard)
  file(CONFIGURE OUTPUT "${E3D_TABLES_DIR}/${name}.h" @ONLY CONTENT
"// Made by CMake from python/e3d_lmp/data/@name@.txt: change that file, not this one.
#ifndef @_guard@
#define @_guard@

namespace E3D {

/// @T_COMMENT@
struct @T_STRUCT@ {
  const char *@T_KEY@;
  double @T_VALUE@;
};

inline constexpr @T_STRUCT@ @name@[] = {
@_entries@};

}    // namespace E3D

#endif
")
endfunction()

e3d_table(covalent_radii PATTERN "[A-Z][a-z]?" EXAMPLE "'El R' (R in angstrom)"
          STRUCT CovalentRadius KEY element VALUE radius
          COMMENT "Covalent radius of one element; radius in angstrom.")
e3d_table(bond_energies PATTERN "[A-Z][a-z]?-[A-Z][a-z]?" EXAMPLE "'C-H 413' (kJ/mol)"
          STRUCT BondEnergy KEY label VALUE energy
          COMMENT "Average enthalpy of the single bond of a pair label; energy in kJ/mol.")

add_library(E3D::tables INTERFACE IMPORTED)
set_target_properties(E3D::tables PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${E3D_TABLES_DIR}")
