#include "matrix.h"

#include <algorithm>

namespace e3d::engine {

Matrix identity(int n)
{
  Matrix out(n, n);
  for (int i = 0; i < n; i++) out(i, i) = 1.0;
  return out;
}

Matrix product(const Matrix &a, const Matrix &b)
{
  Matrix out(a.rows, b.columns);
  for (int i = 0; i < a.rows; i++) {
    double *row = out.numbers.data() + static_cast<std::size_t>(i) * b.columns;
    for (int k = 0; k < a.columns; k++) {
      const double x = a(i, k);
      const double *other = b.numbers.data() + static_cast<std::size_t>(k) * b.columns;
      for (int j = 0; j < b.columns; j++) row[j] += x * other[j];
    }
  }
  return out;
}

Matrix transposed(const Matrix &a)
{
  Matrix out(a.columns, a.rows);
  for (int i = 0; i < a.rows; i++)
    for (int j = 0; j < a.columns; j++) out(j, i) = a(i, j);
  return out;
}

Matrix row_range(const Matrix &a, int first, int count)
{
  Matrix out(count, a.columns);
  const auto begin = a.numbers.begin() + static_cast<std::ptrdiff_t>(first) * a.columns;
  std::copy(begin, begin + static_cast<std::ptrdiff_t>(count) * a.columns, out.numbers.begin());
  return out;
}

Matrix column_range(const Matrix &a, int first, int count)
{
  Matrix out(a.rows, count);
  for (int i = 0; i < a.rows; i++)
    for (int j = 0; j < count; j++) out(i, j) = a(i, first + j);
  return out;
}

}    // namespace e3d::engine
