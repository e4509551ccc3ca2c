/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef LMP_FIX_E3D_MAP_KOKKOS_H
#define LMP_FIX_E3D_MAP_KOKKOS_H

#include "fix_e3d_map.h"

#include "device_map.h"
#include "pair_e3d_kokkos.h"

#include "kokkos_type.h"

#include <memory>

namespace LAMMPS_NS {

/* fix e3d/map/kk: bonds between atoms of this rank are paired and counted on the device, where pair_style e3d/kk has left their
   energies; those to ghosts on the host. Where the pair style is on the host it is the fix of the host. */

class FixE3DMapKokkos : public FixE3DMap {
 public:
  FixE3DMapKokkos(class LAMMPS *, int, char **);
  void init() override;
  double memory_usage() override;

 protected:
  void add_pairs() override;
  void bring_to_host() override;

 private:
  std::unique_ptr<E3D::DeviceMap<LMPDeviceType>> device_map;    // what is not in `map` yet

  PairE3DKokkos<LMPDeviceType> *on_device() const;
  void add_on_host(const PairE3DKokkos<LMPDeviceType>::DeviceFrame &,
                   const E3D::DeviceBonds<LMPDeviceType> &);
};

}    // namespace LAMMPS_NS

#endif
