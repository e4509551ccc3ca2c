/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "fix_e3d_hnemd_kokkos.h"

#include "device_heat.h"

#include "atom_kokkos.h"
#include "atom_masks.h"
#include "comm.h"
#include "force.h"

using namespace LAMMPS_NS;

using Range = Kokkos::RangePolicy<LMPDeviceType>;

/* ---------------------------------------------------------------------- */

FixE3DHnemdKokkos::FixE3DHnemdKokkos(LAMMPS *lmp, int narg, char **arg) : FixE3DHnemd(lmp, narg, arg)
{
  kokkosable = 1;
  reverse_comm_device = 1;
  atomKK = static_cast<AtomKokkos *>(atom);
}

/* ---------------------------------------------------------------------- */

PairE3DKokkos<LMPDeviceType> *FixE3DHnemdKokkos::on_device() const
{
  return dynamic_cast<PairE3DKokkos<LMPDeviceType> *>(pair);
}

/* ---------------------------------------------------------------------- */

void FixE3DHnemdKokkos::init()
{
  FixE3DHnemd::init();
  execution_space = on_device() ? ExecutionSpaceFromDevice<LMPDeviceType>::space : Host;
  atomKK->k_mass.modify_host();
  atomKK->k_mass.sync<LMPDeviceType>();
}

/* ----------------------------------------------------------------------
   the momentum is looked at on the host
------------------------------------------------------------------------- */

void FixE3DHnemdKokkos::setup(int vflag)
{
  atomKK->sync(Host, datamask_read);
  FixE3DHnemd::setup(vflag);
}

/* ---------------------------------------------------------------------- */

void FixE3DHnemdKokkos::gather_virials()
{
  if (!on_device()) {
    FixE3DHnemd::gather_virials();
    return;
  }
  const auto frame = on_device()->device_frame(name);
  atomKK->sync(execution_space, datamask_read);
  E3D::make_room(energy, "e3d:energy_of_atoms", atom->nlocal);
  E3D::make_room(virial, "e3d:virial_of_atoms", frame.atoms.nall);
  frame.evaluation.give_energies(frame.edges, atom->nlocal, energy);
  frame.evaluation.give_virials(frame.atoms, frame.edges, virial);
  travelling.travel(virial, execution_space, [this]() { comm->reverse_comm(this); });
}

/* ---------------------------------------------------------------------- */

int FixE3DHnemdKokkos::pack_reverse_comm_kokkos(int n, int first, DAT::tdual_double_1d &k_buf)
{
  return travelling.pack_range(n, first, k_buf.view<LMPDeviceType>());
}

/* ---------------------------------------------------------------------- */

void FixE3DHnemdKokkos::unpack_reverse_comm_kokkos(int n, DAT::tdual_int_1d k_list,
                                                   DAT::tdual_double_1d &k_buf)
{
  travelling.add_listed(n, k_list.view<LMPDeviceType>(), k_buf.view<LMPDeviceType>());
}

/* ---------------------------------------------------------------------- */

int FixE3DHnemdKokkos::pack_reverse_comm(int n, int first, double *buf)
{
  if (!on_device()) return FixE3DHnemd::pack_reverse_comm(n, first, buf);
  return travelling.pack_range_on_host(n, first, buf);
}

/* ---------------------------------------------------------------------- */

void FixE3DHnemdKokkos::unpack_reverse_comm(int n, int *list, double *buf)
{
  if (on_device())
    travelling.add_listed_on_host(n, list, buf);
  else
    FixE3DHnemd::unpack_reverse_comm(n, list, buf);
}

/* ---------------------------------------------------------------------- */

void FixE3DHnemdKokkos::add_driving_forces(double (&sum)[4])
{
  if (!on_device()) {
    FixE3DHnemd::add_driving_forces(sum);
    return;
  }
  const E3D::DeviceMotion<LMPDeviceType> motion(atomKK, force, groupbit);
  const auto f = atomKK->k_f.view<LMPDeviceType>();
  const auto u = energy;
  const auto w = virial;
  const double drive_x = drive[0], drive_y = drive[1], drive_z = drive[2];
  Kokkos::parallel_reduce(
      "e3d:drive", Range(0, atom->nlocal),
      KOKKOS_LAMBDA(const int i, double &x, double &y, double &z, double &mass) {
        if (!motion.inside(i)) return;
        const double along[3] = {drive_x, drive_y, drive_z}, total = u(i) + motion.kinetic_energy(i);
        double added[3];
        for (int b = 0; b < 3; b++) {
          added[b] = total * along[b] + along[0] * w(i, b) + along[1] * w(i, 3 + b) + along[2] * w(i, 6 + b);
          f(i, b) += added[b];
        }
        x += added[0];
        y += added[1];
        z += added[2];
        mass += motion.mass_of(i);
      },
      sum[0], sum[1], sum[2], sum[3]);
}

/* ---------------------------------------------------------------------- */

void FixE3DHnemdKokkos::take_off(const double (&per_mass)[3])
{
  if (!on_device()) {
    FixE3DHnemd::take_off(per_mass);
    return;
  }
  const E3D::DeviceMotion<LMPDeviceType> motion(atomKK, force, groupbit);
  const auto f = atomKK->k_f.view<LMPDeviceType>();
  const double x = per_mass[0], y = per_mass[1], z = per_mass[2];
  Kokkos::parallel_for(
      "e3d:take_off", Range(0, atom->nlocal), KOKKOS_LAMBDA(const int i) {
        if (!motion.inside(i)) return;
        const double mass = motion.mass_of(i);
        f(i, 0) -= mass * x;
        f(i, 1) -= mass * y;
        f(i, 2) -= mass * z;
      });
}

/* ---------------------------------------------------------------------- */

void FixE3DHnemdKokkos::add_current(double (&sums)[5])
{
  if (!on_device()) {
    FixE3DHnemd::add_current(sums);
    return;
  }
  const E3D::DeviceMotion<LMPDeviceType> motion(atomKK, force, groupbit);
  const auto u = energy;
  const auto w = virial;
  Kokkos::parallel_reduce(
      "e3d:current", Range(0, atom->nlocal),
      KOKKOS_LAMBDA(const int i, double &x, double &y, double &z, double &kinetic, double &count) {
        if (!motion.inside(i)) return;
        const double own = motion.kinetic_energy(i),
                     v[3] = {static_cast<double>(motion.v(i, 0)), static_cast<double>(motion.v(i, 1)),
                             static_cast<double>(motion.v(i, 2))};
        double j[3];
        for (int a = 0; a < 3; a++)
          j[a] = (u(i) + own) * v[a] + w(i, 3 * a) * v[0] + w(i, 3 * a + 1) * v[1] + w(i, 3 * a + 2) * v[2];
        x += j[0];
        y += j[1];
        z += j[2];
        kinetic += own;
        count += 1.0;
      },
      sums[0], sums[1], sums[2], sums[3], sums[4]);
}

/* ---------------------------------------------------------------------- */

double FixE3DHnemdKokkos::memory_usage()
{
  return FixE3DHnemd::memory_usage() + static_cast<double>(energy.size() + virial.size()) * sizeof(double);
}
