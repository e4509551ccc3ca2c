// A dense matrix in double precision, for the algebra that is done once when a model is loaded.
#ifndef E3D_ENGINE_MATRIX_H
#define E3D_ENGINE_MATRIX_H

#include <cstddef>
#include <vector>

namespace e3d::engine {

struct Matrix {
  int rows = 0, columns = 0;
  std::vector<double> numbers;    // row-major

  Matrix() = default;
  Matrix(int rows_, int columns_) :
      rows(rows_), columns(columns_), numbers(static_cast<std::size_t>(rows_) * columns_)
  {
  }

  double &operator()(int i, int j) { return numbers[static_cast<std::size_t>(i) * columns + j]; }
  double operator()(int i, int j) const { return numbers[static_cast<std::size_t>(i) * columns + j]; }
  bool empty() const { return numbers.empty(); }
};

Matrix identity(int n);
Matrix product(const Matrix &a, const Matrix &b);    // a.columns == b.rows
Matrix transposed(const Matrix &a);
Matrix row_range(const Matrix &a, int first, int count);
Matrix column_range(const Matrix &a, int first, int count);

}    // namespace e3d::engine

#endif
