# Finds libtorch by its own folders. Defines E3D_TORCH, and where that is on, the target E3D::torch, E3D_TORCH_LIBRARY_DIR,
# E3D_TORCH_VERSION and E3D_CUDA. Without torch everything but libe3d_model.so is built.
# torch's own TorchConfig.cmake is not used: with a CUDA build it wants the whole CUDA toolkit at configure time, which a
# machine that only runs models need not have; libtorch.so brings the CUDA or XPU libraries by itself at run time.

set(Torch_ROOT "" CACHE STRING "Folder with include/ and lib/ of libtorch; empty: of the torch of the Python that is found; none: build without")

set(_torch "${Torch_ROOT}")
if(NOT _torch AND Python_Interpreter_FOUND)
  execute_process(
    COMMAND "${Python_EXECUTABLE}" -c
            "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
    OUTPUT_VARIABLE _torch OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
set(E3D_TORCH OFF)
set(E3D_TORCH_VERSION "none")
set(E3D_CUDA OFF)
if(NOT _torch OR _torch STREQUAL "none")
  message(STATUS "torch: none, so no libe3d_model.so: the plugin will run .safetensors files, and neither .pt2 nor .pth. To have it, "
    "install torch and build without isolation (pip install --no-build-isolation .), or give -DTorch_ROOT=/path/to/libtorch")
  return()
endif()
get_filename_component(_torch "${_torch}" ABSOLUTE)
if(NOT EXISTS "${_torch}/include/torch/csrc/api/include/torch/torch.h" OR NOT EXISTS "${_torch}/lib/libtorch.so")
  message(FATAL_ERROR "Torch_ROOT=${_torch} lacks include/torch/csrc/api/include/torch/torch.h or lib/libtorch.so. It must be "
    "the folder of the Python package torch (python -c 'import torch; print(torch.__path__[0])') or an unpacked libtorch.")
endif()

set(E3D_TORCH_LIBRARY_DIR "${_torch}/lib")
set(_torch_includes "${_torch}/include" "${_torch}/include/torch/csrc/api/include")
add_library(E3D::torch INTERFACE IMPORTED)
set_target_properties(E3D::torch PROPERTIES
  INTERFACE_INCLUDE_DIRECTORIES "${_torch_includes}" INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${_torch_includes}")
# --no-as-needed: libtorch.so has no symbol that is asked for; it is what pulls in the libraries of an accelerator.
target_link_libraries(E3D::torch INTERFACE -Wl,--no-as-needed "${_torch}/lib/libtorch.so" "${_torch}/lib/libtorch_cpu.so"
                      "${_torch}/lib/libc10.so" -Wl,--as-needed)

# CUDA graphs and the memory of a GPU need the headers of the CUDA runtime; no compiler and no library of the toolkit.
set(CUDA_INCLUDE_DIR "" CACHE PATH "Folder with cuda_runtime_api.h; empty: find it")
if(EXISTS "${_torch}/lib/libtorch_cuda.so" AND EXISTS "${_torch}/lib/libc10_cuda.so")
  file(GLOB _cuda_wheels "${_torch}/../nvidia/cu*/include" "${_torch}/../nvidia/cuda_runtime/include")
  set(_cuda_folders "$ENV{CUDA_HOME}/include" "$ENV{CUDA_PATH}/include" /usr/local/cuda/include)
  find_path(E3D_CUDA_HEADERS cuda_runtime_api.h HINTS "${CUDA_INCLUDE_DIR}" ${_cuda_wheels} PATHS ${_cuda_folders})
  # From CUDA 13 on the wheel nvidia-cuda-runtime lacks what its headers include: that is in nvidia-cuda-crt or a toolkit.
  find_path(E3D_CUDA_CRT_HEADERS crt/host_defines.h HINTS "${E3D_CUDA_HEADERS}" "${CUDA_INCLUDE_DIR}" ${_cuda_wheels}
            PATHS ${_cuda_folders})
  if(E3D_CUDA_HEADERS AND E3D_CUDA_CRT_HEADERS)
    set(E3D_CUDA ON)
    set(_cuda_includes "${E3D_CUDA_HEADERS}" "${E3D_CUDA_CRT_HEADERS}")
    list(REMOVE_DUPLICATES _cuda_includes)
    set_property(TARGET E3D::torch APPEND PROPERTY INTERFACE_INCLUDE_DIRECTORIES "${_cuda_includes}")
    set_property(TARGET E3D::torch APPEND PROPERTY INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${_cuda_includes}")
    set_property(TARGET E3D::torch PROPERTY INTERFACE_COMPILE_DEFINITIONS E3D_CUDA)
    # What CUDA's runtime must still give is found when the library is loaded: libtorch_cuda.so brings it.
    target_link_libraries(E3D::torch INTERFACE "${_torch}/lib/libtorch_cuda.so" "${_torch}/lib/libc10_cuda.so"
                          -Wl,--allow-shlib-undefined)
  else()
    message(WARNING "This torch has CUDA, but there is no cuda_runtime_api.h with its crt/host_defines.h: models run on a GPU, but without CUDA graphs "
      "and with a fixed 'chunk auto'. Type one of\n"
      "  cmake -DCUDA_INCLUDE_DIR=/path/to/cuda/include ...\n"
      "  pip install nvidia-cuda-runtime nvidia-cuda-crt       (the version that torch asks for; CUDA 12 has no second one)")
  endif()
endif()

set(E3D_TORCH ON)
set(E3D_TORCH_VERSION "unknown")
if(EXISTS "${_torch}/version.py")
  file(STRINGS "${_torch}/version.py" _line REGEX "^__version__ *=")
  string(REGEX REPLACE ".*['\"](.*)['\"].*" "\\1" E3D_TORCH_VERSION "${_line}")
endif()
message(STATUS "torch: ${_torch} (version ${E3D_TORCH_VERSION}, CUDA graphs ${E3D_CUDA})")
