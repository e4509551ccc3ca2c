/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "model/edge_model.h"

#include <dlfcn.h>

#include <array>
#include <fstream>
#include <stdexcept>

namespace E3D {

namespace {

  std::string folder_of_this_library()
  {
    Dl_info info;
    if (dladdr(reinterpret_cast<const void *>(&load_edge_model), &info) == 0 || !info.dli_fname) return ".";
    const std::string path = info.dli_fname;
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
  }

  LoadEdgeModelFunction open_model_library()
  {
    const std::string library = folder_of_this_library() + "/libe3d_model.so";
    void *handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
      const char *reason = dlerror();
      throw std::runtime_error(
          std::string("cannot load the torch side of the plugin: ") + (reason ? reason : library) +
          "; run 'e3d doctor' to see what is missing, and rebuild the plugin after a change of "
          "torch with 'pip install --no-build-isolation --no-deps --force-reinstall .'");
    }
    void *symbol = dlsym(handle, LOAD_EDGE_MODEL_SYMBOL);
    if (!symbol)
      throw std::runtime_error(library +
                               " is not of the same version as the plugin: reinstall both "
                               "with 'pip install --no-build-isolation .'");
    return reinterpret_cast<LoadEdgeModelFunction>(symbol);
  }

}    // namespace

std::unique_ptr<EdgeModel> load_edge_model(const std::string &file, const ModelOptions &options)
{
  if (!std::ifstream(file, std::ios::binary))
    throw std::runtime_error("cannot open model file " + file +
                             ": give the path of a .nequip.pt2 or .nequip.pth file written by "
                             "'e3d export'");

  static const LoadEdgeModelFunction load = open_model_library();
  std::array<char, 4096> error{};
  EdgeModel *model = load(file.c_str(), &options, error.data(), error.size());
  if (!model) throw std::runtime_error(error.data());
  return std::unique_ptr<EdgeModel>(model);
}

}    // namespace E3D
