// Matrix products of a few rows (edges, or components of a centre) with the matrices of a model, in tiles
// that stay in the registers; what becomes of a tile is up to its epilogue. Every element is summed in the
// order of k, whatever the tile.
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

// Lines of memory to call into the second cache while products are made: a product waits for no memory, and
// the tables of two-body functions are larger than any cache. One block of `bytes` at each place of a list.
class Prefetch {
 public:
  Prefetch(const void *const *block, long blocks, long bytes) :
      block_(block), end_of_blocks_(block + blocks), bytes_(bytes)
  {
    next_block();
  }
  Prefetch(const Prefetch &) = delete;

  E3D_LAMBDA void operator()()
  {
    __builtin_prefetch(at_, 0, 2);
    if constexpr (lines_at_once == 2) __builtin_prefetch(at_ + 64, 0, 2);
    at_ += step_;
    if (at_ >= end_) next_block();
  }

 private:
  const char *at_ = nullptr, *end_ = nullptr;
  long step_ = 0;
  const void *const *block_, *const *end_of_blocks_;
  const long bytes_;

  void next_block()
  {
    const bool none = block_ == end_of_blocks_;    // from then on the same line again and again
    at_ = none ? reinterpret_cast<const char *>(this) : static_cast<const char *>(*block_++);
    end_ = at_ + (none ? 1 : bytes_);
    step_ = none ? 0 : 64 * lines_at_once;
  }

  static constexpr int lines_at_once = tile_vectors == 4 ? 2 : 1;    // for each k of a tile
};

// ---- epilogues: where a tile starts, and what is stored. Row r0, column c0 of a tile of R rows and Z vectors.

template <int R, int Z, typename Real> using Tile = Vector<Real>[R][Z];

template <int R, int Z, typename Real>
E3D_INLINE void load_tile(const Real *from, long row, Tile<R, Z, Real> &sum)
{
#pragma GCC unroll 6
  for (int r = 0; r < R; r++, from += row)
#pragma GCC unroll 4
    for (int z = 0; z < Z; z++) sum[r][z] = load(from + z * lanes<Real>);
}

template <int R, int Z, typename Real> E3D_INLINE void clear_tile(Tile<R, Z, Real> &sum)
{
#pragma GCC unroll 6
  for (int r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int z = 0; z < Z; z++) sum[r][z] = Vector<Real>{};
}

// The product alone.
template <typename Real> struct Store {
  Real *out;
  long out_row;

  template <int R, int Z> E3D_LAMBDA void begin(Tile<R, Z, Real> &sum, long, long) const
  {
    clear_tile<R, Z, Real>(sum);
  }
  template <int R, int Z> E3D_LAMBDA void end(const Tile<R, Z, Real> &sum, long r0, long c0) const
  {
    Real *to = out + r0 * out_row + c0;
#pragma GCC unroll 6
    for (int r = 0; r < R; r++, to += out_row)
#pragma GCC unroll 4
      for (int z = 0; z < Z; z++) store(to + z * lanes<Real>, sum[r][z]);
  }
};

// The activation of a hidden layer, and its derivative; the product is added to `start`, unless that is null.
template <typename Real> struct Activate {
  const Real *start;
  long start_row;
  Real *out;
  long out_row;
  Real *derivative;
  long derivative_row;
  bool linear;

  template <int R, int Z> E3D_LAMBDA void begin(Tile<R, Z, Real> &sum, long r0, long c0) const
  {
    if (start)
      load_tile<R, Z, Real>(start + r0 * start_row + c0, start_row, sum);
    else
      clear_tile<R, Z, Real>(sum);
  }
  template <int R, int Z> E3D_LAMBDA void end(const Tile<R, Z, Real> &sum, long r0, long c0) const
  {
    Real *to = out + r0 * out_row + c0, *slope = derivative + r0 * derivative_row + c0;
    if (linear) {
      for (int r = 0; r < R; r++, to += out_row, slope += derivative_row)
        for (int z = 0; z < Z; z++) {
          store(to + z * lanes<Real>, sum[r][z]);
          store(slope + z * lanes<Real>, Vector<Real>{} + 1);
        }
      return;
    }
#pragma GCC unroll 6
    for (int r = 0; r < R; r++, to += out_row, slope += derivative_row)
#pragma GCC unroll 4
      for (int z = 0; z < Z; z++) {
        Vector<Real> a, d;
        silu(sum[r][z], a, d);
        store(to + z * lanes<Real>, a);
        store(slope + z * lanes<Real>, d);
      }
  }
};

// Cotangents of a hidden layer: those of its activation times the derivative.
template <typename Real> struct Scale {
  const Real *factor;
  long factor_row;
  Real *out;
  long out_row;

  template <int R, int Z> E3D_LAMBDA void begin(Tile<R, Z, Real> &sum, long, long) const
  {
    clear_tile<R, Z, Real>(sum);
  }
  template <int R, int Z> E3D_LAMBDA void end(const Tile<R, Z, Real> &sum, long r0, long c0) const
  {
    const Real *by = factor + r0 * factor_row + c0;
    Real *to = out + r0 * out_row + c0;
#pragma GCC unroll 6
    for (int r = 0; r < R; r++, to += out_row, by += factor_row)
#pragma GCC unroll 4
      for (int z = 0; z < Z; z++) store(to + z * lanes<Real>, sum[r][z] * load(by + z * lanes<Real>));
  }
};

// ---- tiles

template <int R, int Z, typename Real>
E3D_INLINE void accumulate(Tile<R, Z, Real> &sum, const Factor<Real> &f, long first_row, const Real *b,
                           long b_row, Prefetch &prefetch)
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
    prefetch();
  }
}

template <int R, int Z, typename Real, typename Epilogue>
static __attribute__((noinline)) void tile(const Factor<Real> *factors, int count, long r0, int z0,
                                           const Epilogue &epilogue, Prefetch &prefetch)
{
  constexpr int W = lanes<Real>;
  Tile<R, Z, Real> sum;
  epilogue.template begin<R, Z>(sum, r0, z0 * W);
  for (int n = 0; n < count; n++) {
    const Factor<Real> &f = factors[n];
    if (f.b_row)
      accumulate<R, Z>(sum, f, r0, f.b + z0 * W, f.b_row, prefetch);
    else
      accumulate<R, Z>(sum, f, r0, f.b + static_cast<long>(z0) * W * f.k, Z * W, prefetch);
  }
  epilogue.template end<R, Z>(sum, r0, z0 * W);
}

template <int R, int Z, typename Real, typename Epilogue>
E3D_INLINE void remainder_tile(int rows, const Factor<Real> *factors, int count, long r0, int z0,
                               const Epilogue &epilogue, Prefetch &prefetch)
{
  if constexpr (R > 0) {
    if (rows == R)
      tile<R, Z>(factors, count, r0, z0, epilogue, prefetch);
    else
      remainder_tile<R - 1, Z>(rows, factors, count, r0, z0, epilogue, prefetch);
  }
}

template <int Z, typename Real, typename Epilogue>
E3D_INLINE void panel(int width, long rows, const Factor<Real> *factors, int count, int z0,
                      const Epilogue &epilogue, Prefetch &prefetch)
{
  if constexpr (Z > 0) {
    if (width == Z) {
      long r = 0;
      for (; r + tile_rows <= rows; r += tile_rows)
        tile<tile_rows, Z>(factors, count, r, z0, epilogue, prefetch);
      remainder_tile<tile_rows - 1, Z>(static_cast<int>(rows - r), factors, count, r, z0, epilogue, prefetch);
    } else {
      panel<Z - 1>(width, rows, factors, count, z0, epilogue, prefetch);
    }
  }
}

// epilogue(sum over factors of A B) for rows 0 to rows - 1 and `vectors` vectors of columns.
template <typename Real, typename Epilogue>
E3D_INLINE void product(Prefetch &prefetch, long rows, int vectors, const Factor<Real> *factors, int count,
                        const Epilogue &epilogue)
{
  for (int z = 0; z < vectors; z += tile_vectors) {
    const int left = vectors - z;
    panel<tile_vectors>(left < tile_vectors ? left : tile_vectors, rows, factors, count, z, epilogue,
                        prefetch);
  }
}

template <typename Real, typename Epilogue>
E3D_INLINE void product(Prefetch &prefetch, long rows, int vectors, const Factor<Real> &factor,
                        const Epilogue &epilogue)
{
  product(prefetch, rows, vectors, &factor, 1, epilogue);
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
