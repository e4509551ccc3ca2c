/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "pair_e3d_kokkos.h"

#include "comm.h"
#include "error.h"
#include "force.h"
#include "kokkos.h"

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

template <class DeviceType> PairE3DKokkos<DeviceType>::PairE3DKokkos(LAMMPS *lmp) : PairE3D(lmp) {}

/* ----------------------------------------------------------------------
   a GPU run of LAMMPS begins with newton off, and e3d adds the forces of edges to ghosts
------------------------------------------------------------------------- */

template <class DeviceType> void PairE3DKokkos<DeviceType>::init_style()
{
  if (force->newton_pair == 0)
    error->all(FLERR,
               "pair_style e3d/kk needs 'newton on': start LAMMPS with '-pk kokkos newton "
               "on neigh half', or put "
               "'package kokkos newton on neigh half' before the box is created");
  if (lmp->kokkos->ngpus > 0 && comm->nprocs > 1 && !lmp->kokkos->gpu_aware_flag && comm->me == 0)
    error->warning(FLERR,
                   "pair_style e3d/kk: MPI does not take the memory of GPUs, so that ghost "
                   "atoms travel through the "
                   "host on every step. If it can, type 'export "
                   "MPICH_GPU_SUPPORT_ENABLED=1' (Cray), or start LAMMPS with "
                   "'-pk kokkos gpu/aware on'");
  PairE3D::init_style();
}

/* ---------------------------------------------------------------------- */

namespace LAMMPS_NS {
template class PairE3DKokkos<LMPDeviceType>;
#ifdef LMP_KOKKOS_GPU
template class PairE3DKokkos<LMPHostType>;
#endif
}    // namespace LAMMPS_NS
