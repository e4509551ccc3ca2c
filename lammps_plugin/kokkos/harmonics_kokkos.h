/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_HARMONICS_KOKKOS_H
#define E3D_HARMONICS_KOKKOS_H

#include <Kokkos_Core.hpp>

namespace E3D {

/* Real spherical harmonics up to l = 3 of one edge, in the order and normalisation of e3nn ("component": the sum over m of
   Y_lm^2 is 2l + 1; y is the polar axis), and their gradient; as engine/kernels/harmonics.h has them. */

template <typename Real> struct HarmonicFactors {
  static constexpr Real s3 = Real(1.7320508075688772935), s5 = Real(2.2360679774997896964),
                        s15 = Real(3.8729833462074168852), s7 = Real(2.6457513110645905905),
                        s42_6 = Real(1.0801234497346434), s168_8 = Real(1.6201851746019651);
};

// Y[j] of the unit vector (x, y, z)
template <typename Real> KOKKOS_INLINE_FUNCTION void harmonics(int l_max, Real x, Real y, Real z, Real *Y)
{
  using F = HarmonicFactors<Real>;
  Y[0] = 1;
  if (l_max < 1) return;
  Y[1] = F::s3 * x;
  Y[2] = F::s3 * y;
  Y[3] = F::s3 * z;
  if (l_max < 2) return;
  const Real y2 = y * y, x2z2 = x * x + z * z;
  Y[4] = F::s15 * (x * z);
  Y[5] = F::s15 * (x * y);
  Y[6] = F::s5 * (y2 - x2z2 / 2);
  Y[7] = F::s15 * (y * z);
  Y[8] = F::s15 / 2 * (z * z - x * x);
  if (l_max < 3) return;
  Y[9] = F::s42_6 * (Y[4] * z + Y[8] * x);
  Y[10] = F::s7 * (Y[4] * y);
  Y[11] = F::s168_8 * ((4 * y2 - x2z2) * x);
  Y[12] = F::s7 / 2 * (y * (2 * y2 - 3 * x2z2));
  Y[13] = F::s168_8 * ((4 * y2 - x2z2) * z);
  Y[14] = F::s7 * (Y[8] * y);
  Y[15] = F::s42_6 * (Y[8] * z - Y[4] * x);
}

// gradient of sum_j d[j] Y_j with respect to the edge vector at (x, y, z) / inverse_r: its part across the edge
template <typename Real>
KOKKOS_INLINE_FUNCTION void harmonics_gradient(int l_max, Real x, Real y, Real z, Real inverse_r,
                                               const Real *d, Real g[3])
{
  using F = HarmonicFactors<Real>;
  Real gx = 0, gy = 0, gz = 0;
  if (l_max >= 1) {
    gx = F::s3 * d[1];
    gy = F::s3 * d[2];
    gz = F::s3 * d[3];
  }
  if (l_max >= 2) {
    gx += F::s15 * (z * d[4] + y * d[5] - x * d[8]) - F::s5 * (x * d[6]);
    gy += F::s15 * (x * d[5] + z * d[7]) + 2 * F::s5 * (y * d[6]);
    gz += F::s15 * (x * d[4] + y * d[7] + z * d[8]) - F::s5 * (z * d[6]);
  }
  if (l_max >= 3) {
    const Real x2 = x * x, y2 = y * y, z2 = z * z, xz = x * z;
    const Real s = F::s15 * F::s42_6, t = F::s15 * F::s7;
    gx += s * Real(1.5) * ((z2 - x2) * d[9] - 2 * xz * d[15]) + t * (y * (z * d[10] - x * d[14])) +
        F::s168_8 * ((4 * y2 - 3 * x2 - z2) * d[11] - 2 * xz * d[13]) - 3 * F::s7 * (x * y * d[12]);
    gy += t * (xz * d[10] + (z2 - x2) / 2 * d[14]) + 8 * F::s168_8 * (y * (x * d[11] + z * d[13])) +
        Real(1.5) * F::s7 * ((2 * y2 - x2 - z2) * d[12]);
    gz += s * Real(1.5) * (2 * xz * d[9] + (z2 - x2) * d[15]) + t * (y * (x * d[10] + z * d[14])) +
        F::s168_8 * ((4 * y2 - x2 - 3 * z2) * d[13] - 2 * xz * d[11]) - 3 * F::s7 * (y * z * d[12]);
  }
  const Real along = gx * x + gy * y + gz * z;
  g[0] = (gx - along * x) * inverse_r;
  g[1] = (gy - along * y) * inverse_r;
  g[2] = (gz - along * z) * inverse_r;
}

}    // namespace E3D

#endif
