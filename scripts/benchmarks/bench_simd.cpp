// The two inner loops that the engine spends its time in, written with one of four ways to say "vector": GCC's vector
// extensions (what the engine uses), std::experimental::simd, xsimd, Google Highway. bench_simd.sh compiles and runs all.
//
//   tile   6 rows of a 64-column product, k = 96, then SiLU and its derivative: a hidden layer
//   table  polynomials of degree five and their derivatives for 352 functions
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

#if defined(USE_GCC)
#define E3D_ISA here
#include "../../engine/kernels/simd.h"
using namespace e3d::engine::here;
constexpr int W = lanes<float>;
using V = Vector<float>;
static inline V ld(const float *p) { return load(p); }
static inline void st(float *p, V v) { store(p, v); }
static inline V bc(float x) { return broadcast(x); }
static inline V mad(V a, V b, V c) { return fma(a, b, c); }
static inline void act(V x, V &a, V &d) { silu(x, a, d); }
const char *name = "GCC vectors";
#elif defined(USE_STD)
#include <experimental/simd>
namespace stdx = std::experimental;
using V = stdx::native_simd<float>;
constexpr int W = V::size();
static inline V ld(const float *p) { return V(p, stdx::element_aligned); }
static inline void st(float *p, V v) { v.copy_to(p, stdx::element_aligned); }
static inline V bc(float x) { return V(x); }
static inline V mad(V a, V b, V c) { return stdx::fma(a, b, c); }
static inline void act(V x, V &a, V &d)
{
  const V s = 1.0f / (1.0f + stdx::exp(-x));
  a = x * s;
  d = stdx::fma(a, 1.0f - s, s);
}
const char *name = "std::experimental::simd";
#elif defined(USE_XSIMD)
#include <xsimd/xsimd.hpp>
using V = xsimd::batch<float>;
constexpr int W = V::size;
static inline V ld(const float *p) { return V::load_unaligned(p); }
static inline void st(float *p, V v) { v.store_unaligned(p); }
static inline V bc(float x) { return V(x); }
static inline V mad(V a, V b, V c) { return xsimd::fma(a, b, c); }
static inline void act(V x, V &a, V &d)
{
  const V s = V(1.0f) / (V(1.0f) + xsimd::exp(-x));
  a = x * s;
  d = xsimd::fma(a, V(1.0f) - s, s);
}
const char *name = "xsimd";
#elif defined(USE_HIGHWAY)
#include <hwy/highway.h>
#include <hwy/contrib/math/math-inl.h>
namespace hn = hwy::HWY_NAMESPACE;
using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;
constexpr int W = HWY_MAX_BYTES / 4;
static inline V ld(const float *p) { return hn::LoadU(D(), p); }
static inline void st(float *p, V v) { hn::StoreU(v, D(), p); }
static inline V bc(float x) { return hn::Set(D(), x); }
static inline V mad(V a, V b, V c) { return hn::MulAdd(a, b, c); }
static inline void act(V x, V &a, V &d)
{
  const V one = hn::Set(D(), 1.0f), s = hn::Div(one, hn::Add(one, hn::Exp(D(), hn::Neg(x))));
  a = hn::Mul(x, s);
  d = hn::MulAdd(a, hn::Sub(one, s), s);
}
const char *name = "Highway";
#endif

constexpr int rows = 48, columns = 64, depth = 96, functions = 352;
constexpr int Z = columns / W < 4 ? columns / W : (W == 16 ? 4 : 2);

static __attribute__((noinline)) void tile(const float *a, const float *b, float *out, float *derivative)
{
  for (int z0 = 0; z0 < columns / W; z0 += Z)
    for (int r0 = 0; r0 < rows; r0 += 6) {
      V sum[6][Z];
#pragma GCC unroll 6
      for (int r = 0; r < 6; r++)
#pragma GCC unroll 4
        for (int z = 0; z < Z; z++) sum[r][z] = bc(0.0f);
      const float *panel = b + z0 * W * depth;
      for (int k = 0; k < depth; k++) {
        V x[Z];
#pragma GCC unroll 4
        for (int z = 0; z < Z; z++) x[z] = ld(panel + (k * Z + z) * W);
#pragma GCC unroll 6
        for (int r = 0; r < 6; r++) {
          const V y = bc(a[(r0 + r) * depth + k]);
#pragma GCC unroll 4
          for (int z = 0; z < Z; z++) sum[r][z] = mad(y, x[z], sum[r][z]);
        }
      }
#pragma GCC unroll 6
      for (int r = 0; r < 6; r++)
#pragma GCC unroll 4
        for (int z = 0; z < Z; z++) {
          V f, d;
          act(sum[r][z], f, d);
          st(out + (r0 + r) * columns + (z0 + z) * W, f);
          st(derivative + (r0 + r) * columns + (z0 + z) * W, d);
        }
    }
}

static __attribute__((noinline)) void table(const float *coefficients, float t, float scale, float *f, float *df)
{
  const V x = bc(t), s = bc(scale);
  for (int k = 0; k < functions; k += W) {
    V p = ld(coefficients + 5 * functions + k), d = p;
    p = mad(p, x, ld(coefficients + 4 * functions + k));
#pragma GCC unroll 4
    for (int q = 3; q >= 0; q--) {
      d = mad(d, x, p);
      p = mad(p, x, ld(coefficients + q * functions + k));
    }
    st(f + k, p);
    st(df + k, d * s);
  }
}

template <typename Call> static double seconds(int repeat, Call call)
{
  double best = 1e9;
  for (int k = 0; k < 300; k++) {
    const auto start = std::chrono::steady_clock::now();
    for (int n = 0; n < repeat; n++) call();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / repeat);
  }
  return best;
}

int main()
{
  std::vector<float> a(rows * depth), b(depth * columns), out(rows * columns), d(rows * columns), c(6 * functions), f(functions), df(functions);
  for (std::size_t k = 0; k < a.size(); k++) a[k] = std::sin(0.1f * static_cast<float>(k));
  for (std::size_t k = 0; k < b.size(); k++) b[k] = 0.1f * std::cos(0.3f * static_cast<float>(k));
  for (std::size_t k = 0; k < c.size(); k++) c[k] = std::cos(0.7f * static_cast<float>(k));
  const double product = seconds(20, [&] { tile(a.data(), b.data(), out.data(), d.data()); });
  const double tables = seconds(200, [&] { table(c.data(), 0.3f, 1.1f, f.data(), df.data()); });
  float check = 0.0f;
  for (float x : out) check += x;
  for (float x : df) check += x;
  std::printf("%-24s %2d lanes  tile %6.1f ns a row (%5.1f GFLOP/s)  table %5.1f ns  sum %.4f\n", name, W, product / rows * 1e9,
              2.0 * depth * columns * rows / product * 1e-9, tables * 1e9, static_cast<double>(check));
}
