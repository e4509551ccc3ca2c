/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "model/edge_model.h"

#include "model/edge_model_native.h"

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

  LoadEdgeModelFunction open_model_library(const std::string &file)
  {
    const std::string library = folder_of_this_library() + "/libe3d_model.so";
    if (!std::ifstream(library, std::ios::binary))
      throw std::runtime_error(
          "cannot use model file " + file +
          ": torch runs it, and this installation of e3d-lmp was built without torch (no " + library +
          "); use a .safetensors file, which needs none ('e3d export MODEL OUT.safetensors'), or "
          "build with torch: 'pip install torch', " +
          REBUILD);
    void *handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
      const char *reason = dlerror();
      throw std::runtime_error(
          std::string("cannot load the torch side of the plugin: ") + (reason ? reason : library) +
          "; run 'e3d doctor' to see what is missing, and rebuild the plugin after a change of torch: " +
          REBUILD);
    }
    void *symbol = dlsym(handle, LOAD_EDGE_MODEL_SYMBOL);
    if (!symbol)
      throw std::runtime_error(library +
                               " is not of the same version as the plugin: rebuild both: " + REBUILD);
    return reinterpret_cast<LoadEdgeModelFunction>(symbol);
  }

  bool ends_with(const std::string &text, const std::string &ending)
  {
    return text.size() >= ending.size() &&
        text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
  }

  // a file for torch has its precision in its graph

  void check_precision(const std::string &file, const EdgeModel &model, const std::string &wanted)
  {
    const std::string &dtype = model.metadata().model_dtype;
    if (wanted == "auto" || dtype == (wanted == "double" ? "float64" : "float32")) return;
    throw std::runtime_error("cannot use model file " + file + " with 'precision " + wanted +
                             "': it computes in " + dtype + "; export it with '--dtype " +
                             (wanted == "double" ? "float64" : "float32") +
                             "', or to a .safetensors file, which runs in both");
  }

}    // namespace

std::unique_ptr<EdgeModel> load_edge_model(const std::string &file, const ModelOptions &options)
{
  if (!std::ifstream(file, std::ios::binary))
    throw std::runtime_error("cannot open model file " + file +
                             ": give the path of a .safetensors, .nequip.pt2 or .nequip.pth file written by "
                             "'e3d export'");
  if (ends_with(file, ".safetensors")) return load_native_model(file, options);
  if (!ends_with(file, ".pt2") && !ends_with(file, ".pth"))
    throw std::runtime_error(
        "cannot use model file " + file +
        ": its name ends in neither .safetensors nor .pt2 nor .pth: model files are written "
        "by 'e3d export MODEL OUT.safetensors' (or OUT.nequip.pt2, OUT.nequip.pth)");

  static const LoadEdgeModelFunction load = open_model_library(file);
  std::array<char, 4096> error{};
  std::unique_ptr<EdgeModel> model(load(file.c_str(), &options, error.data(), error.size()));
  if (!model) throw std::runtime_error(error.data());
  check_precision(file, *model, options.precision);
  return model;
}

}    // namespace E3D
