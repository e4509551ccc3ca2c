/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_DEVICE_HEAT_H
#define E3D_DEVICE_HEAT_H

#include "device_edges.h"

#include "atom_kokkos.h"
#include "force.h"

#include <algorithm>
#include <vector>

namespace E3D {

/* What the heat current takes of atoms and edges on the device (ARCHITECTURE section 1; on the host: atom_heat.h). */

template <class DeviceType> struct DeviceMotion {
  typename ArrayTypes<DeviceType>::t_kkfloat_1d_3 v;
  typename ArrayTypes<DeviceType>::t_kkfloat_1d rmass, mass;    // of atoms, where there are such; of types
  typename ArrayTypes<DeviceType>::t_int_1d type, mask;
  int groupbit = 0;
  double mvv2e = 1.0;

  DeviceMotion(LAMMPS_NS::AtomKokkos *atom, const LAMMPS_NS::Force *force, int bit) :
      v(atom->k_v.template view<DeviceType>()), rmass(atom->k_rmass.template view<DeviceType>()),
      mass(atom->k_mass.template view<DeviceType>()), type(atom->k_type.template view<DeviceType>()),
      mask(atom->k_mask.template view<DeviceType>()), groupbit(bit), mvv2e(force->mvv2e)
  {
  }

  KOKKOS_INLINE_FUNCTION bool inside(int i) const { return mask(i) & groupbit; }
  KOKKOS_INLINE_FUNCTION double mass_of(int i) const
  {
    return static_cast<double>(rmass.data() ? rmass(i) : mass(type(i)));
  }
  // K_i, energy units of the run
  KOKKOS_INLINE_FUNCTION double kinetic_energy(int i) const
  {
    const double x = v(i, 0), y = v(i, 1), z = v(i, 2);
    return 0.5 * mvv2e * mass_of(i) * (x * x + y * y + z * z);
  }
};

/* The rows of compute e3d/heat, each with J and its convective part. */

template <class DeviceType> struct HeatRows {
  static constexpr int COLUMNS = 6;
  Kokkos::View<double *[3], Kokkos::LayoutRight, DeviceType> velocity;    // (atoms), 0 outside the group
  Kokkos::View<const int *, DeviceType> label;       // (LAMMPS types + 1)^2 row of an edge between two types
  Kokkos::View<const double *, DeviceType> cutsq;    // (LAMMPS types + 1)^2, empty: no cutoff
  int rows = 0, beyond = 0, none = 0;                // beyond the cutoff; what no edge has
};

/* (rows * COLUMNS): the edge i->j gives epsilon_ij v_i - r_ij (g_ij.v_j) to its row, U_i less its edges gives mu_i v_i to 'none'.
   Blocks of centres are each added up by one thread, and then the blocks: in the same order on any device. */

template <class DeviceType, class Energies, class EdgeEnergies, class EdgeForces>
std::vector<double> heat_of_edges(const DeviceAtoms<DeviceType> &atoms, const DeviceEdges<DeviceType> &edges,
                                  const Energies &energy, const EdgeEnergies &eps, const EdgeForces &g,
                                  const HeatRows<DeviceType> &table)
{
  using Range = Kokkos::RangePolicy<DeviceType>;
  constexpr int COLUMNS = HeatRows<DeviceType>::COLUMNS, MOST_BLOCKS = 16384;
  const int entries = table.rows * COLUMNS, rows = edges.rows, blocks = std::min(rows, MOST_BLOCKS);
  Kokkos::View<double **, Kokkos::LayoutRight, DeviceType> part("e3d:heat", blocks, entries);
  Kokkos::View<double *, DeviceType> sum("e3d:heat_sum", entries);
  const auto a = atoms;
  const auto t = table;
  const auto centre = edges.centre;
  const auto offset = edges.offset;
  const auto neighbour = edges.neighbour;
  Kokkos::parallel_for(
      "e3d:heat", Range(0, blocks), KOKKOS_LAMBDA(const int b) {
        const int last = static_cast<int>(static_cast<int64_t>(rows) * (b + 1) / blocks);
        for (int k = static_cast<int>(static_cast<int64_t>(rows) * b / blocks); k < last; k++) {
          const int i = centre(k);
          double rest = energy(k);
          for (int64_t e = offset(k); e < offset(k + 1); e++) {
            const int j = neighbour(e), pair = a.type(i) * a.width + a.type(j);
            double r[3], power = 0.0, squared = 0.0;
            for (int d = 0; d < 3; d++) {
              r[d] = static_cast<double>(a.x(j, d)) - static_cast<double>(a.x(i, d));
              squared += r[d] * r[d];
              power += static_cast<double>(g(e, d)) * t.velocity(j, d);
            }
            const double own = static_cast<double>(eps(e));
            rest -= own;
            const bool is_beyond = t.cutsq.extent(0) > 0 && squared >= t.cutsq(pair);
            const int out = COLUMNS * (is_beyond ? t.beyond : t.label(pair));
            for (int d = 0; d < 3; d++) {
              const double convective = own * t.velocity(i, d);
              part(b, out + d) += convective - r[d] * power;
              part(b, out + d + 3) += convective;
            }
          }
          for (int d = 0; d < 3; d++) {
            part(b, COLUMNS * t.none + d) += rest * t.velocity(i, d);
            part(b, COLUMNS * t.none + d + 3) += rest * t.velocity(i, d);
          }
        }
      });
  Kokkos::parallel_for(
      "e3d:heat_sum", Range(0, entries), KOKKOS_LAMBDA(const int c) {
        for (int b = 0; b < blocks; b++) sum(c) += part(b, c);
      });
  const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), sum);
  return std::vector<double>(host.data(), host.data() + entries);
}

}    // namespace E3D

#endif
