// Real spherical harmonics up to l = 3 in the order and normalisation of e3nn ("component": sum over m of
// Y_lm^2 = 2l + 1), and their gradient. y is the polar axis.
#ifndef E3D_ENGINE_HARMONICS_H
#define E3D_ENGINE_HARMONICS_H

#include "simd.h"

namespace e3d::engine::E3D_ISA {

template <typename Real> struct HarmonicFactors {
  static constexpr Real s3 = Real(1.7320508075688772935), s5 = Real(2.2360679774997896964),
                        s15 = Real(3.8729833462074168852), s7 = Real(2.6457513110645905905),
                        s42_6 = Real(1.0801234497346434), s168_8 = Real(1.6201851746019651);
};

// Y[j * stride + e] of the unit vectors (x, y, z)[e], e < n.
template <int l_max, typename Real>
E3D_INLINE void harmonics(long n, long stride, const Real *ux, const Real *uy, const Real *uz, Real *Y)
{
  using F = HarmonicFactors<Real>;
  for (long e = 0; e < n; e++) {
    const Real x = ux[e], y = uy[e], z = uz[e];
    Real *out = Y + e;
    out[0] = 1;
    if constexpr (l_max >= 1) {
      out[stride] = F::s3 * x;
      out[2 * stride] = F::s3 * y;
      out[3 * stride] = F::s3 * z;
    }
    if constexpr (l_max >= 2) {
      const Real y2 = y * y, x2z2 = x * x + z * z;
      const Real a = F::s15 * (x * z), b = F::s15 / 2 * (z * z - x * x);
      out[4 * stride] = a;
      out[5 * stride] = F::s15 * (x * y);
      out[6 * stride] = F::s5 * (y2 - x2z2 / 2);
      out[7 * stride] = F::s15 * (y * z);
      out[8 * stride] = b;
      if constexpr (l_max >= 3) {
        out[9 * stride] = F::s42_6 * (a * z + b * x);
        out[10 * stride] = F::s7 * (a * y);
        out[11 * stride] = F::s168_8 * ((4 * y2 - x2z2) * x);
        out[12 * stride] = F::s7 / 2 * (y * (2 * y2 - 3 * x2z2));
        out[13 * stride] = F::s168_8 * ((4 * y2 - x2z2) * z);
        out[14 * stride] = F::s7 * (b * y);
        out[15 * stride] = F::s42_6 * (b * z - a * x);
      }
    }
  }
}

// Gradient of sum_j d[j * stride] Y_j with respect to the edge vector at (x, y, z) / inverse_r: its part
// across the edge.
template <int l_max, typename Real>
E3D_INLINE void harmonics_gradient(Real x, Real y, Real z, Real inverse_r, const Real *d, long stride,
                                   Real g[3])
{
  using F = HarmonicFactors<Real>;
  Real gx = 0, gy = 0, gz = 0;
  const auto D = [&](int j) E3D_LAMBDA { return d[j * stride]; };
  if constexpr (l_max >= 1) {
    gx = F::s3 * D(1);
    gy = F::s3 * D(2);
    gz = F::s3 * D(3);
  }
  if constexpr (l_max >= 2) {
    gx += F::s15 * (z * D(4) + y * D(5) - x * D(8)) - F::s5 * (x * D(6));
    gy += F::s15 * (x * D(5) + z * D(7)) + 2 * F::s5 * (y * D(6));
    gz += F::s15 * (x * D(4) + y * D(7) + z * D(8)) - F::s5 * (z * D(6));
  }
  if constexpr (l_max >= 3) {
    const Real x2 = x * x, y2 = y * y, z2 = z * z, xz = x * z;
    const Real s = F::s15 * F::s42_6, t = F::s15 * F::s7;
    // 9: s (3 x z^2 - x^3) / 2   10: t x y z   11: s168 (4 y^2 - x^2 - z^2) x   12: s7/2 (2 y^3 - 3 y (x^2 +
    // z^2)) 13: s168 (4 y^2 - x^2 - z^2) z   14: t/2 (z^2 - x^2) y   15: s (z^3 - 3 x^2 z) / 2
    gx += s * Real(1.5) * ((z2 - x2) * D(9) - 2 * xz * D(15)) + t * (y * (z * D(10) - x * D(14))) +
        F::s168_8 * ((4 * y2 - 3 * x2 - z2) * D(11) - 2 * xz * D(13)) - 3 * F::s7 * (x * y * D(12));
    gy += t * (xz * D(10) + (z2 - x2) / 2 * D(14)) + 8 * F::s168_8 * (y * (x * D(11) + z * D(13))) +
        Real(1.5) * F::s7 * ((2 * y2 - x2 - z2) * D(12));
    gz += s * Real(1.5) * (2 * xz * D(9) + (z2 - x2) * D(15)) + t * (y * (x * D(10) + z * D(14))) +
        F::s168_8 * ((4 * y2 - x2 - 3 * z2) * D(13) - 2 * xz * D(11)) - 3 * F::s7 * (y * z * D(12));
  }
  const Real along = gx * x + gy * y + gz * z;
  g[0] = (gx - along * x) * inverse_r;
  g[1] = (gy - along * y) * inverse_r;
  g[2] = (gz - along * z) * inverse_r;
}

}    // namespace e3d::engine::E3D_ISA

#endif
