/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "native_model.h"

#include "engine/model_file.h"
#include "engine/safetensors.h"

#include <stdexcept>

namespace E3D {

namespace {

  bool ends_with(const std::string &text, const std::string &end)
  {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
  }

}    // namespace

NativeModel::NativeModel(const std::string &file, const std::string &precision)
{
  if (ends_with(file, ".pt2") || ends_with(file, ".pth"))
    throw std::runtime_error(
        file +
        " is a model for torch, and pair_style e3d/kk runs those of the native engine: type 'e3d "
        "export MODEL OUT.safetensors', or put 'suffix off' before pair_style e3d and 'suffix on' "
        "after pair_coeff, so that it runs on the host");
  ModelOptions options;
  options.precision = precision;
  metadata_ = load_edge_model(file, options)->metadata();
  folded_ = e3d::engine::fold(e3d::engine::read_model_file(e3d::engine::read_safetensors(file)));
}

void NativeModel::start(const EdgeChunk &, int)
{
  throw std::logic_error("a model of pair_style e3d/kk does not run on the host");
}

ModelOutput NativeModel::finish(int)
{
  throw std::logic_error("a model of pair_style e3d/kk does not run on the host");
}

}    // namespace E3D
