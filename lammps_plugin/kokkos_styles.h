/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_KOKKOS_STYLES_H
#define E3D_KOKKOS_STYLES_H

#include "lammpsplugin_abi.h"

#include <string>

namespace LAMMPS_NS {
class LAMMPS;
}

namespace E3D {

/* Registers the /kk styles. They are in a library of their own, libe3d_kk.so, which is opened only in runs with KOKKOS
   on: the plugin itself loads into any LAMMPS. What stands in the way is no error, because the other styles work all
   the same; a library that does not fit this LAMMPS is a warning. */

void register_kokkos_styles(LAMMPS_NS::LAMMPS *lmp, const lammpsplugin_t &plugin,
                            lammpsplugin_regfunc regfunc);

// why there are none in this run; empty where there are, and where KOKKOS is off
const std::string &why_no_kokkos_styles();

// how libe3d_kk.so is called
constexpr const char *REGISTER_KOKKOS_STYLES_SYMBOL = "e3d_register_kokkos_styles";
using RegisterKokkosStyles = void (*)(LAMMPS_NS::LAMMPS *, lammpsplugin_t, lammpsplugin_regfunc);

}    // namespace E3D

#endif
