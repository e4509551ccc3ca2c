/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_RADIAL_KOKKOS_H
#define E3D_RADIAL_KOKKOS_H

#include <Kokkos_Core.hpp>

namespace E3D {

/* The functions of x = r / cutoff that a model starts from, with derivatives with respect to x; as engine/radial_basis.h has
   them. */

struct ValueAndDerivative {
  double value, derivative;
};

// 1 - (p+1)(p+2)/2 x^p + p(p+2) x^(p+1) - p(p+1)/2 x^(p+2); 0 for x >= 1
KOKKOS_INLINE_FUNCTION ValueAndDerivative polynomial_cutoff(double x, double p)
{
  if (x >= 1.0) return {0.0, 0.0};
  const double x1 = Kokkos::pow(x, p - 1.0), x0 = x1 * x, away = 1.0 - x;
  return {1.0 - x0 * (0.5 * (p + 1.0) * (p + 2.0) - x * (p * (p + 2.0) - x * 0.5 * p * (p + 1.0))),
          -0.5 * p * (p + 1.0) * (p + 2.0) * x1 * away * away};
}

// sin(w pi x) / (pi x), without the cutoff
KOKKOS_INLINE_FUNCTION ValueAndDerivative bessel(double x, double w)
{
  constexpr double pi = 3.14159265358979323846;
  const double z = pi * w * x;
  if (Kokkos::fabs(z) > 1.0) {
    const double g = Kokkos::sin(z) / (pi * x);
    return {g, (w * Kokkos::cos(z) - g) / x};
  }
  // by the series of sin(z) / z: the closed form of the derivative loses digits here
  double value = 1.0, first = 0.0, term = 1.0;
  for (int k = 1; k <= 10; k++) {
    const double over_z2 = -term / ((2 * k) * (2 * k + 1));
    term = over_z2 * z * z;
    value += term;
    first += 2 * k * over_z2 * z;
  }
  return {w * value, pi * w * w * first};
}

// (1 - cos t)^2 / 4, t from 0 to 2 pi over the support of function k of `count`, each over `span` + 1 intervals
KOKKOS_INLINE_FUNCTION ValueAndDerivative spline(double x, int k, int count, int span)
{
  const double width = (span + 1.0) / count, lower = static_cast<double>(k - span) / count;
  if (x <= lower || x >= lower + width || x >= 1.0) return {0.0, 0.0};
  const double scale = 2.0 * 3.14159265358979323846 / width, t = scale * (x - lower),
               rise = 1.0 - Kokkos::cos(t);
  return {0.25 * rise * rise, 0.5 * rise * Kokkos::sin(t) * scale};
}

}    // namespace E3D

#endif
