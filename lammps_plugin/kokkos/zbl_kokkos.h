/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_ZBL_KOKKOS_H
#define E3D_ZBL_KOKKOS_H

#include <Kokkos_Core.hpp>

namespace E3D {

/* Screened nuclear repulsion of Ziegler, Biersack and Littmark of one of the two directed edges of a pair, eV, and its
   derivative; as engine/zbl.h has it. `prefactor` is half of e^2 / (4 pi eps_0), eV angstrom. */

struct PairEnergy {
  double energy, derivative;
};

KOKKOS_INLINE_FUNCTION PairEnergy zbl(double charge_i, double charge_j, double prefactor, double p,
                                      double cutoff, double r)
{
  const double weight[4] = {0.02817, 0.28022, 0.50986, 0.18175};
  const double decay[4] = {-0.20162, -0.40290, -0.94229, -3.19980};
  const double per_r = (Kokkos::pow(charge_i, 0.23) + Kokkos::pow(charge_j, 0.23)) / 0.46850;
  double screening = 0.0, slope = 0.0;    // of per_r r
  for (int k = 0; k < 4; k++) {
    const double term = weight[k] * Kokkos::exp(decay[k] * per_r * r);
    screening += term;
    slope += decay[k] * term;
  }
  const double coulomb = prefactor * charge_i * charge_j / r;
  const double bare = coulomb * screening, bare1 = coulomb * (slope * per_r - screening / r);
  // nequip's polynomial cutoff: 1 - (p+1)(p+2)/2 x^p + p(p+2) x^(p+1) - p(p+1)/2 x^(p+2)
  const double x = r / cutoff, power = Kokkos::pow(x, p);
  if (x >= 1.0) return {0.0, 0.0};
  const double c =
      1.0 - power * ((p + 1.0) * (p + 2.0) / 2.0 - x * (p * (p + 2.0) - x * p * (p + 1.0) / 2.0));
  const double c1 = -p * (p + 1.0) * (p + 2.0) / 2.0 * power / x * (1.0 - x) * (1.0 - x) / cutoff;
  return {bare * c, bare1 * c + bare * c1};
}

}    // namespace E3D

#endif
