/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "compute_e3d_heat_kokkos.h"

#include "atom_kokkos.h"
#include "atom_masks.h"
#include "comm.h"
#include "force.h"
#include "update.h"

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

ComputeE3DHeatKokkos::ComputeE3DHeatKokkos(LAMMPS *lmp, int narg, char **arg) : ComputeE3DHeat(lmp, narg, arg)
{
  kokkosable = 1;
  forward_comm_device = 1;
  atomKK = static_cast<AtomKokkos *>(atom);
}

/* ---------------------------------------------------------------------- */

PairE3DKokkos<LMPDeviceType> *ComputeE3DHeatKokkos::on_device() const
{
  return dynamic_cast<PairE3DKokkos<LMPDeviceType> *>(pair);
}

/* ---------------------------------------------------------------------- */

void ComputeE3DHeatKokkos::init()
{
  ComputeE3DHeat::init();
  execution_space = on_device() ? ExecutionSpaceFromDevice<LMPDeviceType>::space : Host;
  if (!on_device()) return;
  atomKK->k_mass.modify_host();
  atomKK->k_mass.sync<LMPDeviceType>();

  const int width = atom->ntypes + 1;
  std::vector<int> labels(width * width, 0);
  for (int i = 1; i < width; i++)
    for (int j = 1; j < width; j++) labels[i * width + j] = pair->pair_labels().of_types(i, j);
  table.rows = static_cast<int>(row_names.size());
  table.none = table.rows - 1;
  table.beyond = table.none - 1;
  table.label = E3D::on_device<LMPDeviceType>("e3d:label", labels);
  table.cutsq = E3D::on_device<LMPDeviceType>("e3d:heat_cutsq", cutsq);
}

/* ----------------------------------------------------------------------
   as on the host: v is that of now, and 0 outside the group
------------------------------------------------------------------------- */

void ComputeE3DHeatKokkos::gather_velocities(int atoms)
{
  E3D::make_room(table.velocity, "e3d:velocity", atoms);
  const E3D::DeviceMotion<LMPDeviceType> motion(atomKK, force, groupbit);
  const auto velocity = table.velocity;
  Kokkos::parallel_for(
      "e3d:velocity", Kokkos::RangePolicy<LMPDeviceType>(0, atom->nlocal), KOKKOS_LAMBDA(const int i) {
        const bool inside = motion.inside(i);
        for (int d = 0; d < 3; d++) velocity(i, d) = inside ? static_cast<double>(motion.v(i, d)) : 0.0;
      });
  travelling.travel(table.velocity, execution_space, [this]() { comm->forward_comm(this); });
}

/* ---------------------------------------------------------------------- */

int ComputeE3DHeatKokkos::pack_forward_comm_kokkos(int n, DAT::tdual_int_1d k_list,
                                                   DAT::tdual_double_1d &k_buf, int /*pbc_flag*/,
                                                   int * /*pbc*/)
{
  return travelling.pack_listed(n, k_list.view<LMPDeviceType>(), k_buf.view<LMPDeviceType>());
}

/* ---------------------------------------------------------------------- */

void ComputeE3DHeatKokkos::unpack_forward_comm_kokkos(int n, int first, DAT::tdual_double_1d &k_buf)
{
  travelling.unpack_range(n, first, k_buf.view<LMPDeviceType>());
}

/* ---------------------------------------------------------------------- */

int ComputeE3DHeatKokkos::pack_forward_comm(int n, int *list, double *buf, int pbc_flag, int *pbc)
{
  if (!on_device()) return ComputeE3DHeat::pack_forward_comm(n, list, buf, pbc_flag, pbc);
  return travelling.pack_listed_on_host(n, list, buf);
}

/* ---------------------------------------------------------------------- */

void ComputeE3DHeatKokkos::unpack_forward_comm(int n, int first, double *buf)
{
  if (on_device())
    travelling.unpack_range_on_host(n, first, buf);
  else
    ComputeE3DHeat::unpack_forward_comm(n, first, buf);
}

/* ----------------------------------------------------------------------
   sum of K_i v_i
------------------------------------------------------------------------- */

void ComputeE3DHeatKokkos::add_kinetic(double (&sum)[3]) const
{
  const E3D::DeviceMotion<LMPDeviceType> motion(atomKK, force, groupbit);
  Kokkos::parallel_reduce(
      "e3d:kinetic", Kokkos::RangePolicy<LMPDeviceType>(0, atom->nlocal),
      KOKKOS_LAMBDA(const int i, double &x, double &y, double &z) {
        if (!motion.inside(i)) return;
        const double kinetic = motion.kinetic_energy(i);
        x += kinetic * motion.v(i, 0);
        y += kinetic * motion.v(i, 1);
        z += kinetic * motion.v(i, 2);
      },
      sum[0], sum[1], sum[2]);
}

/* ---------------------------------------------------------------------- */

void ComputeE3DHeatKokkos::add_up()
{
  if (!on_device()) {
    atomKK->sync(Host, datamask_read);
    ComputeE3DHeat::add_up();
    return;
  }
  const auto frame = on_device()->device_frame(name);
  if (added_step == update->ntimestep && added_evaluation == frame.number) return;
  added_step = update->ntimestep;
  added_evaluation = frame.number;
  atomKK->sync(execution_space, datamask_read);
  gather_velocities(frame.atoms.nall);
  mine = frame.evaluation.heat(frame.atoms, frame.edges, table);

  double kinetic[3];
  add_kinetic(kinetic);
  for (int d = 0; d < 3; d++) {
    mine[table.none * NUM_COLUMNS + d] += kinetic[d];
    mine[table.none * NUM_COLUMNS + d + 3] += kinetic[d];
  }
}
