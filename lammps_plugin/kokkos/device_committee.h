/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_DEVICE_COMMITTEE_H
#define E3D_DEVICE_COMMITTEE_H

#include "atom_columns.h"
#include "device_evaluation.h"

namespace E3D {

/* The spread of the force over the models of a committee, as E3D::Committee has it on the host: one model after the other,
   mean and spread by Welford's recurrence, spread^2 = (1/M) sum_m |F_m - mean F|^2. For each model: begin_model(), its forces
   added to force(), their sum from ghosts to owners, end_model(). */

template <class DeviceType> class DeviceCommittee {
 public:
  using Range = Kokkos::RangePolicy<DeviceType>;

  void begin(int nlocal)
  {
    nlocal_ = nlocal;
    models_ = 0;
    mean_ = ForceView<DeviceType>("e3d:member_mean", nlocal);
    spread_ = Kokkos::View<double *, DeviceType>("e3d:member_spread", nlocal);
  }

  void begin_model(int nall) { force_ = ForceView<DeviceType>("e3d:member_force", nall); }

  void end_model()
  {
    const auto force = force_, mean = mean_;
    const auto spread = spread_;
    const double count = ++models_;
    Kokkos::parallel_for(
        "e3d:member", Range(0, nlocal_), KOKKOS_LAMBDA(const int i) {
          for (int d = 0; d < 3; d++) {
            const double delta = force(i, d) - mean(i, d);
            mean(i, d) += delta / count;
            spread(i) += delta * (force(i, d) - mean(i, d));
          }
        });
  }

  void end()
  {
    const auto spread = spread_;
    const double count = models_;
    Kokkos::parallel_for(
        "e3d:spread", Range(0, nlocal_),
        KOKKOS_LAMBDA(const int i) { spread(i) = Kokkos::sqrt(spread(i) / count); });
    force_ = mean_ = ForceView<DeviceType>();
  }

  AtomColumns<DeviceType, 3> travelling;
  const ForceView<DeviceType> &force() const { return force_; }    // (nlocal+nghost, 3), LAMMPS force units
  const Kokkos::View<double *, DeviceType> &spread() const { return spread_; }    // (nlocal)

 private:
  int nlocal_ = 0, models_ = 0;
  ForceView<DeviceType> force_, mean_;
  Kokkos::View<double *, DeviceType> spread_;
};

}    // namespace E3D

#endif
