/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef LMP_PAIR_E3D_KOKKOS_H
#define LMP_PAIR_E3D_KOKKOS_H

#include "pair_e3d.h"

#include "kokkos_type.h"

namespace LAMMPS_NS {

/* pair_style e3d/kk. Settings, coefficients and messages are those of PairE3D. */

template <class DeviceType> class PairE3DKokkos : public PairE3D {
 public:
  PairE3DKokkos(class LAMMPS *);

  void init_style() override;
};

}    // namespace LAMMPS_NS

#endif
