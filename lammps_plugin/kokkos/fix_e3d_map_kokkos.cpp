/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "fix_e3d_map_kokkos.h"

#include "atom_kokkos.h"
#include "atom_masks.h"
#include "error.h"

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

FixE3DMapKokkos::FixE3DMapKokkos(LAMMPS *lmp, int narg, char **arg) : FixE3DMap(lmp, narg, arg)
{
  kokkosable = 1;
  atomKK = static_cast<AtomKokkos *>(atom);
}

/* ---------------------------------------------------------------------- */

PairE3DKokkos<LMPDeviceType> *FixE3DMapKokkos::on_device() const
{
  return dynamic_cast<PairE3DKokkos<LMPDeviceType> *>(pair);
}

/* ---------------------------------------------------------------------- */

void FixE3DMapKokkos::init()
{
  FixE3DMap::init();
  execution_space = on_device() ? ExecutionSpaceFromDevice<LMPDeviceType>::space : Host;
  if (!on_device() || device_map) return;
  std::vector<char> like;
  for (const auto &label : map->labels()) like.push_back(label.like);
  std::string message;
  try {
    device_map = std::make_unique<E3D::DeviceMap<LMPDeviceType>>(map->width(), like, row_of_label);
  } catch (const std::exception &e) {
    message = e.what();
  }
  if (!message.empty()) error->all(FLERR, "{}: {}; put 'suffix off' before it", name, message);
}

/* ---------------------------------------------------------------------- */

void FixE3DMapKokkos::add_pairs()
{
  if (!on_device()) {
    atomKK->sync(Host, datamask_read);
    FixE3DMap::add_pairs();
    return;
  }
  const auto bonds = on_device()->device_bonds(subscription, name);
  atomKK->sync(execution_space, MASK_MASK);
  const int64_t left_out =
      device_map->add(bonds.frame.edges, bonds.own, atomKK->k_mask.view<LMPDeviceType>(), groupbit);
  atomKK->sync(Host, TAG_MASK | MASK_MASK);
  if (left_out) add_on_host(bonds.frame, bonds.own);
  add(bonds.crossing);
}

/* ----------------------------------------------------------------------
   pairs with energies that the device's map does not hold, or that are not finite
------------------------------------------------------------------------- */

void FixE3DMapKokkos::add_on_host(const PairE3DKokkos<LMPDeviceType>::DeviceFrame &frame,
                                  const E3D::DeviceBonds<LMPDeviceType> &bonds)
{
  std::vector<int> centre, neighbour, label;
  std::vector<int64_t> offset;
  std::vector<double> D, A;
  E3D::copy_to_host(frame.edges.centre, frame.edges.rows, centre);
  E3D::copy_to_host(bonds.own.offset, frame.edges.rows + 1, offset);
  E3D::copy_to_host(bonds.own.neighbour, bonds.own.edges, neighbour);
  E3D::copy_to_host(bonds.label, bonds.own.edges, label);
  E3D::copy_to_host(bonds.D, bonds.own.edges, D);
  E3D::copy_to_host(bonds.A, bonds.own.edges, A);
  for (std::size_t k = 0; k < centre.size(); k++)
    for (int64_t e = offset[k]; e < offset[k + 1]; e++) {
      const int i = centre[k], j = neighbour[e];
      if (label[e] == E3D::PairLabels::NONE || !(atom->mask[i] & groupbit) || !(atom->mask[j] & groupbit))
        continue;
      const int row = row_of_label[label[e]];
      if (row == E3D::PairLabels::NONE || device_map->takes(D[e], A[e])) continue;
      if (!map->add(row, D[e], A[e])) refuse(row, D[e], A[e], i, j);
    }
}

/* ---------------------------------------------------------------------- */

void FixE3DMapKokkos::bring_to_host()
{
  if (device_map) device_map->move_to(*map);
}

/* ---------------------------------------------------------------------- */

double FixE3DMapKokkos::memory_usage()
{
  return FixE3DMap::memory_usage() + (device_map ? device_map->memory_usage() : 0.0);
}
