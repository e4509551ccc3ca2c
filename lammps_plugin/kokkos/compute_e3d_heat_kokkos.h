/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef LMP_COMPUTE_E3D_HEAT_KOKKOS_H
#define LMP_COMPUTE_E3D_HEAT_KOKKOS_H

#include "compute_e3d_heat.h"

#include "atom_columns.h"
#include "device_heat.h"
#include "pair_e3d_kokkos.h"

#include "kokkos_base.h"
#include "kokkos_type.h"

namespace LAMMPS_NS {

/* compute e3d/heat/kk: the sums over edges where pair_style e3d/kk has left them. Where the pair style is on the host it is the
   compute of the host. */

class ComputeE3DHeatKokkos : public ComputeE3DHeat, public KokkosBase {
 public:
  ComputeE3DHeatKokkos(class LAMMPS *, int, char **);
  void init() override;
  int pack_forward_comm(int, int *, double *, int, int *) override;
  void unpack_forward_comm(int, int, double *) override;
  int pack_forward_comm_kokkos(int, DAT::tdual_int_1d, DAT::tdual_double_1d &, int, int *) override;
  void unpack_forward_comm_kokkos(int, int, DAT::tdual_double_1d &) override;

  // public for the kernels in them

  bool reads_frame() const override { return on_device() == nullptr; }
  void add_up() override;
  void gather_velocities(int atoms);
  void add_kinetic(double (&sum)[3]) const;

 private:
  E3D::HeatRows<LMPDeviceType> table;
  E3D::AtomColumns<LMPDeviceType, 3> travelling;

  PairE3DKokkos<LMPDeviceType> *on_device() const;
};

}    // namespace LAMMPS_NS

#endif
