// Vectors of the instruction set that a file is compiled for: GCC's and Clang's vector extensions, and the
// few operations that these lack. Included by the kernels only, once for each instruction set: everything is
// in a namespace of that set and static, so that no linker can put code for one processor where another one's
// is meant.
//
// Products and sums are contracted only where fma() says so (-ffp-contract=off): the same numbers from every
// tile of a loop.
#ifndef E3D_ENGINE_SIMD_H
#define E3D_ENGINE_SIMD_H

#include <cstdint>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace e3d::engine::E3D_ISA {

#define E3D_INLINE static inline __attribute__((always_inline))
#define E3D_LAMBDA __attribute__((always_inline))

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif
#if defined(__AVX512F__) || defined(__ARM_NEON)
constexpr int registers = 32;
#else
constexpr int registers = 16;
#endif

template <typename Real> struct VectorOf;
template <> struct VectorOf<float> {
  typedef float Type __attribute__((vector_size(vector_bytes)));
  typedef float Memory __attribute__((vector_size(vector_bytes), aligned(4), may_alias));
  typedef std::int32_t Integer __attribute__((vector_size(vector_bytes)));
};
template <> struct VectorOf<double> {
  typedef double Type __attribute__((vector_size(vector_bytes)));
  typedef double Memory __attribute__((vector_size(vector_bytes), aligned(8), may_alias));
  typedef std::int64_t Integer __attribute__((vector_size(vector_bytes)));
};

template <typename Real> using Vector = typename VectorOf<Real>::Type;
template <typename Real> using Integers = typename VectorOf<Real>::Integer;
template <typename Real> constexpr int lanes = vector_bytes / static_cast<int>(sizeof(Real));

template <typename Real> E3D_INLINE Vector<Real> load(const Real *p)
{
  return *reinterpret_cast<const typename VectorOf<Real>::Memory *>(p);
}

template <typename Real> E3D_INLINE void store(Real *p, Vector<Real> v)
{
  *reinterpret_cast<typename VectorOf<Real>::Memory *>(p) = v;
}

template <typename Real> E3D_INLINE Vector<Real> broadcast(Real x)
{
  return x - Vector<Real>{};
}

// a b + c with one rounding, where the processor has it.
template <typename V> E3D_INLINE V fma(V a, V b, V c)
{
#if defined(__AVX512F__)
  if constexpr (sizeof(a[0]) == 4)
    return _mm512_fmadd_ps(a, b, c);
  else
    return _mm512_fmadd_pd(a, b, c);
#elif defined(__AVX2__)
  if constexpr (sizeof(a[0]) == 4)
    return _mm256_fmadd_ps(a, b, c);
  else
    return _mm256_fmadd_pd(a, b, c);
#elif defined(__ARM_NEON)
  if constexpr (sizeof(a[0]) == 4)
    return vfmaq_f32(c, a, b);
  else
    return vfmaq_f64(c, a, b);
#else
  return a * b + c;
#endif
}

// 1 / x, to the last bit or two.
E3D_INLINE Vector<double> reciprocal(Vector<double> x)
{
  return 1.0 / x;
}
E3D_INLINE Vector<float> reciprocal(Vector<float> x)
{
#if defined(__AVX512F__)
  const Vector<float> y = _mm512_maskz_rcp14_ps(0xffff, x);
  return y * fma(-x, y, broadcast(2.0f));
#else
  return 1.0f / x;
#endif
}

// exp(-x). Single precision: 2^y by a polynomial; double precision: Cody and Waite's reduction and a Taylor
// polynomial.
E3D_INLINE Vector<float> exp_minus(Vector<float> x)
{
  using V = Vector<float>;
  const V high = broadcast(125.0f);
  V y = x * broadcast(-1.44269504088896f);
  y = y > high ? high : y;
#if defined(__AVX512F__)
  const V n = _mm512_maskz_roundscale_ps(0xffff, y, 0), f = y - n;
#else
  const V low = broadcast(-125.0f), magic = broadcast(12582912.0f);    // 1.5 2^23
  y = y < low ? low : y;
  const V shifted = y + magic, f = y - (shifted - magic);
#endif
  V p = broadcast(1.5403530e-4f);
  p = fma(p, f, broadcast(1.3333558e-3f));
  p = fma(p, f, broadcast(9.6181291e-3f));
  p = fma(p, f, broadcast(5.5504109e-2f));
  p = fma(p, f, broadcast(2.4022651e-1f));
  p = fma(p, f, broadcast(6.9314718e-1f));
  p = fma(p, f, broadcast(1.0f));
#if defined(__AVX512F__)
  return _mm512_maskz_scalef_ps(0xffff, p, n);
#else
  return (V) ((Integers<float>) p + ((Integers<float>) shifted << 23));
#endif
}

E3D_INLINE Vector<double> exp_minus(Vector<double> x)
{
  using V = Vector<double>;
  const V bound = broadcast(700.0), magic = broadcast(6755399441055744.0);    // 1.5 2^52
  V y = -x;
  y = y < -bound ? -bound : y;
  y = y > bound ? bound : y;
  const V shifted = fma(y, broadcast(1.4426950408889634), magic), n = shifted - magic;
  V f = fma(n, broadcast(-6.93147180369123816490e-01), y);
  f = fma(n, broadcast(-1.90821492927058770002e-10), f);
  V p = broadcast(1.0 / 6227020800.0);    // 1 / 13!
  const double inverse_factorial[] = {1.0 / 479001600.0,
                                      1.0 / 39916800.0,
                                      1.0 / 3628800.0,
                                      1.0 / 362880.0,
                                      1.0 / 40320.0,
                                      1.0 / 5040.0,
                                      1.0 / 720.0,
                                      1.0 / 120.0,
                                      1.0 / 24.0,
                                      1.0 / 6.0,
                                      0.5,
                                      1.0,
                                      1.0};
#pragma GCC unroll 13
  for (int k = 0; k < 13; k++) p = fma(p, f, broadcast(inverse_factorial[k]));
  return (V) ((Integers<double>) p + ((Integers<double>) shifted << 52));
}

// value = x / (1 + exp(-x)) and its derivative.
template <typename V> E3D_INLINE void silu(V x, V &value, V &derivative)
{
  const V one = V{} + 1;
  const V s = reciprocal(one + exp_minus(x));
  value = x * s;
  derivative = fma(value, one - s, s);
}

// Lanes whose number has the bit `step` come from b, the others from a: first those that stay, then those
// that move.
template <typename Real, int step, bool moved>
E3D_INLINE Vector<Real> interleaved(Vector<Real> a, Vector<Real> b)
{
  constexpr int W = lanes<Real>;
#if defined(__clang__)
  return [&]<int... k>(std::integer_sequence<int, k...>) {
    return __builtin_shufflevector(
        a, b, (moved ? ((k & step) ? k + W : k + step) : ((k & step) ? k - step + W : k))...);
  }(std::make_integer_sequence<int, W>());
#else
  Integers<Real> mask = {};
#pragma GCC unroll 16
  for (int k = 0; k < W; k++)
    mask[k] = moved ? ((k & step) ? k + W : k + step) : ((k & step) ? k - step + W : k);
  return __builtin_shuffle(a, b, mask);
#endif
}

// Sums over the lanes of `count` <= lanes vectors; lane k of the result is the sum of v[k]. The order of the
// additions is the same for every k.
template <typename Real, int count, int step = 1> E3D_INLINE Vector<Real> sums_of_lanes(const Vector<Real> *v)
{
  if constexpr (step == lanes<Real>) {
    return v[0];
  } else {
    constexpr int half = (count + 1) / 2;
    Vector<Real> next[half];
#pragma GCC unroll 16
    for (int k = 0; k < half; k++) {
      const Vector<Real> a = v[2 * k], b = 2 * k + 1 < count ? v[2 * k + 1] : Vector<Real>{};
      next[k] = interleaved<Real, step, false>(a, b) + interleaved<Real, step, true>(a, b);
    }
    return sums_of_lanes<Real, half, 2 * step>(next);
  }
}

}    // namespace e3d::engine::E3D_ISA

#endif
