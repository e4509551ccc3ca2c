// From a folded model to what a kernel wants: rounded to its precision, padded to its vectors, with the
// memory that holds it.
#ifndef E3D_ENGINE_PACK_H
#define E3D_ENGINE_PACK_H

#include "folded_model.h"
#include "kernels/kernel.h"
#include "memory.h"
#include "radial_basis.h"

#include <cstddef>
#include <vector>

namespace e3d::engine {

// The memory of a model; freed together.
class Arena {
 public:
  // Zeroed, on cache lines.
  template <typename T> T *take(std::size_t count)
  {
    pieces_.emplace_back(count * sizeof(T));
    bytes_ += pieces_.back().bytes();
    return static_cast<T *>(pieces_.back().get());
  }
  std::size_t bytes() const { return bytes_; }

 private:
  std::vector<Memory> pieces_;
  std::size_t bytes_ = 0;
};

template <typename Real> class Pack {
 public:
  // `tables`: two-body functions from tables; otherwise exactly.
  Pack(const FoldedModel &model, const Kernel<Real> &kernel, bool tables);

  const PackedModel<Real> &model() const { return packed_; }
  std::size_t bytes() const { return arena_.bytes(); }

  // Makes what all ordered pairs of these types need, where it is not there: a table, or a matrix.
  void prepare(const std::vector<int> &types);

 private:
  const FoldedModel &folded_;
  const int lanes_, panel_;
  Arena arena_;
  PackedModel<Real> packed_;
  RadialFunctions radial_;
  std::vector<int> place_;    // padded column of each two-body function
  const Real **pair_numbers_ = nullptr;

  int padded(int n) const { return (n + lanes_ - 1) / lanes_ * lanes_; }
  Real rounded(double x) const;
  void place_columns();
  void pack_two_body();
  void pack_layers();
  void pack_readout();
  void pack_pairs(bool tables);

  // A matrix with its rows and columns moved to padded places; the rest is zero.
  Matrix spread(const Matrix &a, const std::vector<int> &rows, int row_count, const std::vector<int> &columns,
                int column_count) const;
  PackedMatrix<Real> panels(const Matrix &padded_matrix);
  // Padded at the end of its rows and columns.
  PackedMatrix<Real> plain(const Matrix &a, int rows, int columns);
  PackedHidden<Real> hidden(const HiddenLayers &layers);
  PackedProduct<Real> tensor_product(const TensorProduct &product);
  SparseMatrix<Real> sparse(std::vector<SparseFactor<Real>> factors);
  const Real *numbers(const std::vector<double> &values);
  template <typename T> const T *copied(const std::vector<T> &values);
};

extern template class Pack<float>;
extern template class Pack<double>;

}    // namespace e3d::engine

#endif
