/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_NATIVE_MODEL_H
#define E3D_NATIVE_MODEL_H

#include "engine/folded_model.h"
#include "model/edge_model.h"

namespace E3D {

/* A model file of the native engine, as PairE3D keeps it: what the host's model says about itself, and what a device is given.
   It evaluates nothing. */

class NativeModel : public EdgeModel {
 public:
  // precision: single, double, auto (that of the file); throws std::runtime_error with a message for the user
  NativeModel(const std::string &file, const std::string &precision);

  const e3d::engine::FoldedModel &folded() const { return folded_; }
  bool single_precision() const { return metadata_.model_dtype == "float32"; }

  const ModelMetadata &metadata() const override { return metadata_; }
  std::string device() const override { return "KOKKOS"; }
  ChunkPlan chunk_plan() const override { return {}; }
  int64_t auto_edges() const override { return 0; }
  void start(const EdgeChunk &, int) override;
  ModelOutput finish(int) override;
  std::string take_remark() override { return ""; }

 private:
  ModelMetadata metadata_;
  e3d::engine::FoldedModel folded_;
};

}    // namespace E3D

#endif
