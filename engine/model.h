// A model that is ready to run: read, folded and packed for a precision and the processor at hand.
#ifndef E3D_ENGINE_MODEL_H
#define E3D_ENGINE_MODEL_H

#include "dispatch.h"
#include "folded_model.h"
#include "model_file.h"
#include "pack.h"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace e3d::engine {

enum class Precision {
  single,           // float32: two-body functions from tables
  exact,            // float64: two-body functions evaluated exactly
  double_tables,    // float64 with tables, to test the tables by themselves
};

class Model {
 public:
  Model(ModelFile file, Precision precision, const KernelSet &kernels);

  const ModelFile &file() const { return file_; }
  const FoldedModel &folded() const { return folded_; }
  Precision precision() const { return precision_; }
  const KernelSet &kernels() const { return kernels_; }

  // Makes what all ordered pairs of these types need (tables: 2 MB for each pair of the shipped models). Once
  // for every pair; not while somebody evaluates the model.
  void prepare(const std::vector<int> &types);

  std::size_t bytes() const;

  // The one of them that the precision needs; the other is null.
  const Pack<float> *single_pack() const { return single_.get(); }
  const Pack<double> *double_pack() const { return double_.get(); }

 private:
  const ModelFile file_;
  const FoldedModel folded_;
  const Precision precision_;
  const KernelSet &kernels_;
  std::unique_ptr<Pack<float>> single_;
  std::unique_ptr<Pack<double>> double_;
  std::mutex preparing_;
};

}    // namespace e3d::engine

#endif
