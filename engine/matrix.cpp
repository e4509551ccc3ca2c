#include "matrix.h"

#include <algorithm>
#include <cstddef>

namespace e3d::engine {

namespace {

  // Blocks of rows x columns of the product, which the compiler keeps in registers: tables need some 10^8
  // multiply-adds when a model is loaded.
  template <int rows, int columns>
  inline __attribute__((always_inline)) void blocked_product(const Matrix &a, const Matrix &b, Matrix &out)
  {
    const std::ptrdiff_t n = b.columns;
    const auto block = [&](int i0, int j0, int height, int width) __attribute__((always_inline)) {
      double sum[rows][columns] = {};
      const double *other = b.numbers.data() + j0;
      for (int k = 0; k < a.columns; k++, other += n)
        for (int i = 0; i < height; i++) {
          const double x = a(i0 + i, k);
          for (int j = 0; j < width; j++) sum[i][j] += x * other[j];
        }
      for (int i = 0; i < height; i++)
        for (int j = 0; j < width; j++) out(i0 + i, j0 + j) = sum[i][j];
    };
    for (int i = 0; i < a.rows; i += rows)
      for (int j = 0; j < b.columns; j += columns) {
        if (i + rows <= a.rows && j + columns <= b.columns)
          block(i, j, rows, columns);
        else
          block(i, j, std::min(rows, a.rows - i), std::min(columns, b.columns - j));
      }
  }

  void plain_product(const Matrix &a, const Matrix &b, Matrix &out)
  {
    blocked_product<4, 4>(a, b, out);
  }

#if defined(__x86_64__)
  __attribute__((target("avx2,fma"))) void avx2_product(const Matrix &a, const Matrix &b, Matrix &out)
  {
    blocked_product<4, 8>(a, b, out);
  }

  __attribute__((target("avx512f,fma"))) void avx512_product(const Matrix &a, const Matrix &b, Matrix &out)
  {
    blocked_product<4, 32>(a, b, out);
  }
#endif

  using Product = void (*)(const Matrix &, const Matrix &, Matrix &);

  Product choose_product()
  {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return avx512_product;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2_product;
#endif
    return plain_product;
  }

}    // namespace

Matrix identity(int n)
{
  Matrix out(n, n);
  for (int i = 0; i < n; i++) out(i, i) = 1.0;
  return out;
}

Matrix product(const Matrix &a, const Matrix &b)
{
  Matrix out(a.rows, b.columns);
  choose_product()(a, b, out);
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
