/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef LMP_FIX_E3D_HNEMD_KOKKOS_H
#define LMP_FIX_E3D_HNEMD_KOKKOS_H

#include "fix_e3d_hnemd.h"

#include "atom_columns.h"
#include "pair_e3d_kokkos.h"

#include "kokkos_base.h"
#include "kokkos_type.h"

namespace LAMMPS_NS {

/* fix e3d/hnemd/kk: virials and driving forces of atoms where pair_style e3d/kk has left the forces of edges. Where the pair style
   is on the host it is the fix of the host. */

class FixE3DHnemdKokkos : public FixE3DHnemd, public KokkosBase {
 public:
  FixE3DHnemdKokkos(class LAMMPS *, int, char **);
  void init() override;
  void setup(int) override;
  double memory_usage() override;
  int pack_reverse_comm(int, int, double *) override;
  void unpack_reverse_comm(int, int *, double *) override;
  int pack_reverse_comm_kokkos(int, int, DAT::tdual_double_1d &) override;
  void unpack_reverse_comm_kokkos(int, DAT::tdual_int_1d, DAT::tdual_double_1d &) override;

  // public for the kernels in them

  bool reads_frame() const override { return on_device() == nullptr; }
  void gather_virials() override;
  void add_driving_forces(double (&)[4]) override;
  void take_off(const double (&)[3]) override;
  void add_current(double (&)[5]) override;

 private:
  // of the last evaluation

  Kokkos::View<double *, LMPDeviceType> energy;                            // (nlocal) U_i
  Kokkos::View<double *[9], Kokkos::LayoutRight, LMPDeviceType> virial;    // (nlocal+nghost) W_i
  E3D::AtomColumns<LMPDeviceType, 9> travelling;

  PairE3DKokkos<LMPDeviceType> *on_device() const;
};

}    // namespace LAMMPS_NS

#endif
