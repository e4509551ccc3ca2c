// Matrix products of a few rows (edges, or components of a centre) with the matrices of a model, in tiles that stay in the
// registers; what becomes of a tile is up to its epilogue. Every element is summed in the order of k, whatever the tile.
#ifndef E3D_ENGINE_PRODUCTS_H
#define E3D_ENGINE_PRODUCTS_H

#include "packed_model.h"
#include "simd.h"

#include <type_traits>

namespace e3d::engine::E3D_ISA {

constexpr int tile_rows = 6;
constexpr int tile_vectors = registers == 32 ? 4 : 2;    // 24 or 12 accumulators

template <int n> using Constant = std::integral_constant<int, n>;

// A B as one term of a sum: element (r, k) of A is a[r * row + k * column].
template <typename Real> struct Factor {
  const Real *a = nullptr;
  long row = 0, column = 1;
  int k = 0;
  const Real *b = nullptr;
  long b_row = 0;    // 0: packed in panels

  Factor() = default;
  Factor(const Real *a_, long row_, const PackedMatrix<Real> &matrix, long column_ = 1) :
      a(a_), row(row_), column(column_), k(matrix.rows), b(matrix.numbers)
  {
  }
  // B is rows of numbers, `b_row` apart.
  Factor(const Real *a_, long row_, long column_, int k_, const Real *b_, long b_row_) :
      a(a_), row(row_), column(column_), k(k_), b(b_), b_row(b_row_)
  {
  }
};

// ---- epilogues: where a tile starts, and what is stored

template <typename Real> struct Store {
  const Real *start;    // null: zeros
  long start_row;
  Real *out;
  long out_row;

  E3D_LAMBDA Vector<Real> begin(long r, long c) const
  {
    return start ? load(start + r * start_row + c) : Vector<Real>{};
  }
  E3D_LAMBDA void end(long r, long c, Vector<Real> v) const { store(out + r * out_row + c, v); }
};

// The activation of a hidden layer, and its derivative.
template <typename Real> struct Activate {
  const Real *start;
  long start_row;
  Real *out;
  long out_row;
  Real *derivative;
  long derivative_row;
  bool linear;

  E3D_LAMBDA Vector<Real> begin(long r, long c) const
  {
    return start ? load(start + r * start_row + c) : Vector<Real>{};
  }
  E3D_LAMBDA void end(long r, long c, Vector<Real> v) const
  {
    Vector<Real> a, d;
    if (linear) {
      a = v;
      d = Vector<Real>{} + 1;
    } else {
      silu(v, a, d);
    }
    store(out + r * out_row + c, a);
    store(derivative + r * derivative_row + c, d);
  }
};

// Cotangents of a hidden layer: those of its activation times the derivative.
template <typename Real> struct Scale {
  const Real *factor;
  long factor_row;
  Real *out;
  long out_row;

  E3D_LAMBDA Vector<Real> begin(long, long) const { return Vector<Real>{}; }
  E3D_LAMBDA void end(long r, long c, Vector<Real> v) const
  {
    store(out + r * out_row + c, v * load(factor + r * factor_row + c));
  }
};

// ---- tiles

template <int R, int Z, typename Real>
E3D_INLINE void accumulate(Vector<Real> (&sum)[R][Z], const Factor<Real> &f, long first_row, const Real *b, long b_row)
{
  const Real *a = f.a + first_row * f.row;
  const long row = f.row, column = f.column;
#pragma GCC unroll 2
  for (int k = 0; k < f.k; k++) {
    Vector<Real> x[Z];
#pragma GCC unroll 4
    for (int z = 0; z < Z; z++) x[z] = load(b + z * lanes<Real>);
#pragma GCC unroll 6
    for (int r = 0; r < R; r++) {
      const Vector<Real> y = broadcast(a[r * row]);
#pragma GCC unroll 4
      for (int z = 0; z < Z; z++) sum[r][z] = fma(y, x[z], sum[r][z]);
    }
    a += column;
    b += b_row;
  }
}

template <int R, int Z, typename Real, typename Epilogue>
static __attribute__((noinline)) void tile(const Factor<Real> *factors, int count, long r0, int z0, const Epilogue &epilogue)
{
  constexpr int W = lanes<Real>;
  Vector<Real> sum[R][Z];
#pragma GCC unroll 6
  for (int r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int z = 0; z < Z; z++) sum[r][z] = epilogue.begin(r0 + r, (z0 + z) * W);
  for (int n = 0; n < count; n++) {
    const Factor<Real> &f = factors[n];
    if (f.b_row)
      accumulate<R, Z>(sum, f, r0, f.b + z0 * W, f.b_row);
    else
      accumulate<R, Z>(sum, f, r0, f.b + static_cast<long>(z0) * W * f.k, Z * W);
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int z = 0; z < Z; z++) epilogue.end(r0 + r, (z0 + z) * W, sum[r][z]);
}

template <int R, int Z, typename Real, typename Epilogue>
E3D_INLINE void remainder_tile(int rows, const Factor<Real> *factors, int count, long r0, int z0, const Epilogue &epilogue)
{
  if constexpr (R > 0) {
    if (rows == R)
      tile<R, Z>(factors, count, r0, z0, epilogue);
    else
      remainder_tile<R - 1, Z>(rows, factors, count, r0, z0, epilogue);
  }
}

template <int Z, typename Real, typename Epilogue>
E3D_INLINE void panel(int width, long rows, const Factor<Real> *factors, int count, int z0, const Epilogue &epilogue)
{
  if constexpr (Z > 0) {
    if (width == Z) {
      long r = 0;
      for (; r + tile_rows <= rows; r += tile_rows) tile<tile_rows, Z>(factors, count, r, z0, epilogue);
      remainder_tile<tile_rows - 1, Z>(static_cast<int>(rows - r), factors, count, r, z0, epilogue);
    } else {
      panel<Z - 1>(width, rows, factors, count, z0, epilogue);
    }
  }
}

// epilogue(sum over factors of A B) for rows 0 to rows - 1 and `vectors` vectors of columns.
template <typename Real, typename Epilogue>
E3D_INLINE void product(long rows, int vectors, const Factor<Real> *factors, int count, const Epilogue &epilogue)
{
  for (int z = 0; z < vectors; z += tile_vectors) {
    const int left = vectors - z;
    panel<tile_vectors>(left < tile_vectors ? left : tile_vectors, rows, factors, count, z, epilogue);
  }
}

template <typename Real, typename Epilogue>
E3D_INLINE void product(long rows, int vectors, const Factor<Real> &factor, const Epilogue &epilogue)
{
  product(rows, vectors, &factor, 1, epilogue);
}

// Calls body(z, Constant<n>) for blocks of n = 4, 2 or 1 vectors that cover `vectors`.
template <typename Body> E3D_INLINE void blocks(int vectors, const Body &body)
{
  int z = 0;
  for (; z + 4 <= vectors; z += 4) body(z, Constant<4>());
  if (vectors & 2) {
    body(z, Constant<2>());
    z += 2;
  }
  if (vectors & 1) body(z, Constant<1>());
}

}    // namespace e3d::engine::E3D_ISA

#endif
