/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_EDGE_MODEL_NATIVE_H
#define E3D_EDGE_MODEL_NATIVE_H

#include "model/edge_model.h"

#include <memory>
#include <string>

namespace E3D {

/* A file of the format e3d-weights/1, run by libe3d_engine on this processor; throws std::runtime_error. */

std::unique_ptr<EdgeModel> load_native_model(const std::string &file, const ModelOptions &options);

}    // namespace E3D

#endif
