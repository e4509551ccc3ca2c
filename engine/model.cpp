#include "model.h"

#include "errors.h"

#include <utility>

namespace e3d::engine {

Model::Model(ModelFile file, Precision precision, const KernelSet &kernels) :
    file_(std::move(file)), folded_(fold(file_)), precision_(precision), kernels_(kernels)
{
  if (precision == Precision::single)
    single_ = std::make_unique<Pack<float>>(folded_, kernel_of<float>(kernels), true);
  else
    double_ = std::make_unique<Pack<double>>(folded_, kernel_of<double>(kernels),
                                             precision == Precision::double_tables);
}

void Model::prepare(const std::vector<int> &types)
{
  for (int type : types)
    if (type < 0 || type >= folded_.types)
      throw Error("expected model types from 0 to " + std::to_string(folded_.types - 1) + ", got " +
                  std::to_string(type));
  const std::lock_guard<std::mutex> lock(preparing_);
  if (single_)
    single_->prepare(types);
  else
    double_->prepare(types);
}

std::size_t Model::bytes() const
{
  return single_ ? single_->bytes() : double_->bytes();
}

}    // namespace e3d::engine
