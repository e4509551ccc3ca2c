/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "pair_e3d_kokkos.h"

#include "error_one.h"
#include "native_model.h"
#include "support/first_message.h"

#include "atom_kokkos.h"
#include "atom_masks.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "kokkos.h"
#include "memory_kokkos.h"
#include "neigh_list_kokkos.h"
#include "neigh_request.h"
#include "neighbor.h"
#include "update.h"

#include <cmath>
#include <cstring>

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

template <class DeviceType> PairE3DKokkos<DeviceType>::PairE3DKokkos(LAMMPS *lmp) : PairE3D(lmp)
{
  respa_enable = 0;
  kokkosable = 1;
  reverse_comm_device = 1;
  atomKK = static_cast<AtomKokkos *>(atom);
  execution_space = ExecutionSpaceFromDevice<DeviceType>::space;
  datamask_read = X_MASK | F_MASK | TYPE_MASK | ENERGY_MASK | VIRIAL_MASK;
  datamask_modify = F_MASK | ENERGY_MASK | VIRIAL_MASK;
}

/* ---------------------------------------------------------------------- */

template <class DeviceType> PairE3DKokkos<DeviceType>::~PairE3DKokkos()
{
  if (copymode) return;
  memoryKK->destroy_kokkos(k_eatom, eatom);
  memoryKK->destroy_kokkos(k_vatom, vatom);
  memoryKK->destroy_kokkos(k_cvatom, cvatom);
}

/* ----------------------------------------------------------------------
   pair_style e3d/kk [ordered yes|no] and what pair_style e3d takes
------------------------------------------------------------------------- */

template <class DeviceType> void PairE3DKokkos<DeviceType>::settings(int narg, char **arg)
{
  ordered = false;
  std::vector<char *> others;
  for (int iarg = 0; iarg < narg; iarg += 2) {
    if (strcmp(arg[iarg], "ordered") == 0) {
      if (iarg + 1 >= narg) utils::missing_cmd_args(FLERR, "pair_style e3d/kk ordered", error);
      ordered = utils::logical(FLERR, arg[iarg + 1], false, lmp);
      continue;
    }
    others.push_back(arg[iarg]);
    if (iarg + 1 < narg) others.push_back(arg[iarg + 1]);
  }
  PairE3D::settings(static_cast<int>(others.size()), others.data());
  if (device != "auto")
    error->all(
        FLERR,
        "pair_style e3d/kk runs where KOKKOS does: leave out 'device {}', and choose with 'lmp -k on g N' or "
        "'-k on t N'",
        device);
  if (evaluation.chunk_centres() > 0) {
    if (comm->me == 0)
      error->warning(FLERR,
                     "pair_style e3d/kk takes all atoms at once and ignores 'chunk {}': leave it out, or put "
                     "'suffix off' before pair_style e3d and 'suffix on' after pair_coeff to run on the host",
                     evaluation.chunk_centres());
    evaluation.set_chunk_centres(0);
  }
}

/* ---------------------------------------------------------------------- */

template <class DeviceType>
std::unique_ptr<E3D::EdgeModel> PairE3DKokkos<DeviceType>::open_model(const std::string &file)
{
  threads = lmp->kokkos->nthreads;
  return std::make_unique<E3D::NativeModel>(file, precision);
}

/* ---------------------------------------------------------------------- */

template <class DeviceType> void PairE3DKokkos<DeviceType>::coeff(int narg, char **arg)
{
  evaluations.clear();
  PairE3D::coeff(narg, arg);

  std::vector<int> used;
  for (int type : type_map)
    if (type >= 0) used.push_back(type);
  std::string message;
  try {
    for (int m = 0; m < num_models(); m++) {
      const auto &native = static_cast<const E3D::NativeModel &>(m == 0 ? *model : *members[m - 1]);
      evaluations.push_back(
          E3D::make_device_evaluation<DeviceType>(native.folded(), native.single_precision(), used));
    }
  } catch (const std::exception &e) {
    message = e.what();
  }
  message = E3D::first_message(world, message);
  if (!message.empty()) error->all(FLERR, "pair_style e3d/kk: {}", message);
}

/* ----------------------------------------------------------------------
   a GPU run of LAMMPS begins with newton off, and e3d adds the forces of edges to ghosts
------------------------------------------------------------------------- */

template <class DeviceType> void PairE3DKokkos<DeviceType>::init_style()
{
  if (force->newton_pair == 0)
    error->all(
        FLERR,
        "pair_style e3d/kk needs 'newton on': start LAMMPS with '-pk kokkos newton on neigh half', or put "
        "'package kokkos newton on neigh half' before the box is created");
  if (lmp->kokkos->ngpus > 0 && comm->nprocs > 1 && !lmp->kokkos->gpu_aware_flag && comm->me == 0)
    error->warning(
        FLERR,
        "pair_style e3d/kk: MPI does not take the memory of GPUs, so that ghost atoms travel through the "
        "host on every step. If it can, type 'export MPICH_GPU_SUPPORT_ENABLED=1' (Cray), or start LAMMPS "
        "with "
        "'-pk kokkos gpu/aware on'");
  PairE3D::init_style();
  E3D::copies_to_host() = {};

  auto request = neighbor->find_request(this);
  request->set_kokkos_host(std::is_same_v<DeviceType, LMPHostType> &&
                           !std::is_same_v<DeviceType, LMPDeviceType>);
  request->set_kokkos_device(std::is_same_v<DeviceType, LMPDeviceType>);
  request->enable_full();

  const int width = atom->ntypes + 1;
  Kokkos::View<int *, DeviceType> map("e3d:model_type", width);
  Kokkos::View<double *, DeviceType> cutsq("e3d:cutsq", width * width);
  const auto host_map = Kokkos::create_mirror_view(map);
  const auto host_cutsq = Kokkos::create_mirror_view(cutsq);
  for (int i = 0; i < width; i++) {
    host_map(i) = type_map[i];
    for (int j = 0; i > 0 && j < width; j++) host_cutsq(i * width + j) = j > 0 ? types.cutsq_row(i)[j] : 0.0;
  }
  Kokkos::deep_copy(map, host_map);
  Kokkos::deep_copy(cutsq, host_cutsq);
  atoms.model_type = map;
  atoms.cutsq = cutsq;
  atoms.width = width;
  selected_cutsq = Kokkos::View<double *, DeviceType>();
  bonds_on_device.clear();
}

/* ---------------------------------------------------------------------- */

template <class DeviceType> void PairE3DKokkos<DeviceType>::compute(int eflag, int vflag)
{
  ev_init(eflag, vflag, 0);
  atomKK->sync(execution_space, datamask_read);
  if (atom->molecular != Atom::ATOMIC) atomKK->sync(Host, TAG_MASK | SPECIAL_MASK);
  begin_device_frame();
  const double t0 = platform::walltime();
  E3D::EnergyAndVirial sums;
  try {
    evaluations[0]->run(atoms, edges, energy_unit);
    sums = evaluations[0]->add(atoms, edges, targets(), ordered);
  } catch (const std::exception &e) {
    E3D::error_one(lmp, FLERR, "pair_style e3d/kk on step {}: {}", update->ntimestep, e.what());
  }
  atomKK->modified(execution_space, eflag || vflag ? datamask_modify : F_MASK);
  publish(sums);
  if (is_committee_step()) evaluate_members();
  frame.step = update->ntimestep;
  work.steps++;
  work.evaluated_edges += edges.edges;
  work.model_seconds += platform::walltime() - t0;
}

/* ---------------------------------------------------------------------- */

template <class DeviceType> void PairE3DKokkos<DeviceType>::begin_device_frame()
{
  const double t0 = platform::walltime();
  frame.step = -1;    // not readable until it is whole
  check_special_neighbours();
  frame.members = 0;
  frame.nlocal = atoms.nlocal = atom->nlocal;
  frame.nghost = atom->nghost;
  frame.evaluation++;
  atoms.nall = atom->nlocal + atom->nghost;
  atoms.x = atomKK->k_x.template view<DeviceType>();
  atoms.type = atomKK->k_type.template view<DeviceType>();
  const auto bad = edges.find(atoms, *static_cast<NeighListKokkos<DeviceType> *>(list));
  if (bad.centre >= 0) {
    atomKK->sync(Host, TAG_MASK);
    refuse_place(atom->tag[bad.centre], atom->tag[bad.neighbour]);
  }
  work.edge_seconds += platform::walltime() - t0;
}

/* ---------------------------------------------------------------------- */

template <class DeviceType> E3D::DeviceTargets<DeviceType> PairE3DKokkos<DeviceType>::targets()
{
  E3D::DeviceTargets<DeviceType> out;
  out.f = atomKK->k_f.template view<DeviceType>();
  out.virial = vflag_global;
  if (eflag_atom) {
    memoryKK->destroy_kokkos(k_eatom, eatom);
    memoryKK->create_kokkos(k_eatom, eatom, maxeatom, "pair:eatom");
    out.eatom = k_eatom.template view<DeviceType>();
  }
  if (vflag_atom) {
    memoryKK->destroy_kokkos(k_vatom, vatom);
    memoryKK->create_kokkos(k_vatom, vatom, maxvatom, "pair:vatom");
    out.vatom = k_vatom.template view<DeviceType>();
  }
  if (cvflag_atom) {
    memoryKK->destroy_kokkos(k_cvatom, cvatom);
    memoryKK->create_kokkos(k_cvatom, cvatom, maxcvatom, "pair:cvatom");
    out.cvatom = k_cvatom.template view<DeviceType>();
  }
  return out;
}

/* ----------------------------------------------------------------------
   row: whose energy, or force of an edge, is not a number; -1: none
------------------------------------------------------------------------- */

template <class DeviceType> void PairE3DKokkos<DeviceType>::require_numbers(int row)
{
  if (row < 0) return;
  atomKK->sync(Host, TAG_MASK);
  std::vector<int> centre;
  E3D::copy_to_host(edges.centre, edges.rows, centre);
  E3D::error_one(
      lmp, FLERR,
      "pair_style e3d/kk on step {}: the model returned an energy or a force that is not a number (atom "
      "{}); look for atoms on top of each other or a time step that is too long",
      update->ntimestep, atom->tag[centre[row]]);
}

/* ----------------------------------------------------------------------
   sums, and the arrays of atoms that computes of the host read
------------------------------------------------------------------------- */

template <class DeviceType> void PairE3DKokkos<DeviceType>::publish(const E3D::EnergyAndVirial &sums)
{
  require_numbers(sums.not_a_number);
  if (eflag_global) eng_vdwl += sums.energy;
  if (vflag_global)
    for (int d = 0; d < 6; d++) virial[d] += sums.virial[d];
  const auto to_host = [](auto &array) {
    array.template modify<DeviceType>();
    array.sync_host();
  };
  if (eflag_atom) to_host(k_eatom);
  if (vflag_atom) to_host(k_vatom);
  if (cvflag_atom) to_host(k_cvatom);
}

/* ---------------------------------------------------------------------- */

template <class DeviceType> void PairE3DKokkos<DeviceType>::finish()
{
  const E3D::CopiesToHost copies = E3D::copies_to_host();
  double mine[2] = {static_cast<double>(copies.count), copies.bytes}, all[2] = {0.0, 0.0};
  if (work.steps > 0) MPI_Reduce(mine, all, 2, MPI_DOUBLE, MPI_SUM, 0, world);
  const bool show = work.steps > 0 && comm->me == 0;
  int my_tile = evaluations.empty() ? 0 : evaluations[0]->tile(), tile = 0;
  if (work.steps > 0) MPI_Reduce(&my_tile, &tile, 1, MPI_INT, MPI_MAX, 0, world);
  PairE3D::finish();
  if (show)
    utils::logmesg(lmp, "{:.0f} arrays of edges and atoms copied from the device to the host, {:.6g} bytes\n",
                   all[0], all[1]);
  if (show && tile) utils::logmesg(lmp, "Atoms with more than {} edges were worked on in tiles\n", tile);
}

/* ---------------------------------------------------------------------- */

template <class DeviceType> double PairE3DKokkos<DeviceType>::memory_usage()
{
  double bytes = PairE3D::memory_usage() + static_cast<double>(edges.neighbour.size()) * sizeof(int) +
      static_cast<double>(edges.offset.size()) * (sizeof(int64_t) + 2 * sizeof(int));
  for (const auto &evaluation : evaluations) bytes += evaluation->memory_usage();
  return bytes;
}

/* ---------------------------------------------------------------------- */

template <class DeviceType>
typename PairE3DKokkos<DeviceType>::DeviceFrame
PairE3DKokkos<DeviceType>::device_frame(const std::string &requested_by)
{
  require_frame(requested_by);
  return {atoms, edges, *evaluations[0], frame.evaluation};
}

/* ----------------------------------------------------------------------
   on the first request of a step: the rows, and the edges that some style has subscribed to
------------------------------------------------------------------------- */

template <class DeviceType> void PairE3DKokkos<DeviceType>::fetch_frame()
{
  if (fetched == frame.evaluation) return;
  select_edges();
  const auto &first = *evaluations[0];
  fetch_selection(selection, frame);
  first.copy_energies(edges, frame.energy);
  frame.g.clear();
  if (keeps_edge_forces) first.copy_edge_forces(selection, frame.g);

  frame.member_eps.resize(static_cast<std::size_t>(selection.edges) * frame.members);
  std::vector<double> eps;
  for (int m = 0; m < frame.members; m++) {
    evaluations[1 + m]->copy_edge_energies(selection, eps);
    for (std::size_t e = 0; e < eps.size(); e++) frame.member_eps[e * frame.members + m] = eps[e];
  }
  frame.force_spread.clear();
  if (frame.members) E3D::copy_to_host(device_committee.spread(), atom->nlocal, frame.force_spread);
  fetched = frame.evaluation;
}

/* ---------------------------------------------------------------------- */

template <class DeviceType>
void PairE3DKokkos<DeviceType>::fetch_selection(const E3D::EdgeSelection<DeviceType> &selected,
                                                E3D::EdgeFrame &to)
{
  E3D::copy_to_host(edges.centre, edges.rows, to.centre);
  E3D::copy_to_host(selected.offset, edges.rows + 1, to.offset);
  E3D::copy_to_host(selected.neighbour, selected.edges, to.neighbour);
  evaluations[0]->copy_edge_energies(selected, to.eps);
}

/* ----------------------------------------------------------------------
   the host gets no other edges than those to ghosts
------------------------------------------------------------------------- */

template <class DeviceType>
typename PairE3DKokkos<DeviceType>::DeviceBondFrame
PairE3DKokkos<DeviceType>::device_bonds(int subscription, const std::string &requested_by)
{
  const DeviceFrame now = device_frame(requested_by);
  bonds_on_device.resize(bonds.size());
  auto &wanted = bonds_on_device.at(subscription);
  if (!wanted) {
    const int width = atom->ntypes + 1;
    wanted.reset(new BondsOnDevice{
        E3D::DeviceBonds<DeviceType>(bonds[subscription]->cutsq, types, labels, width), {}, {}});
    wanted->crossing.cutsq = bonds[subscription]->cutsq;
  }
  if (wanted->crossing.evaluation != now.number) {
    const double t0 = platform::walltime();
    atomKK->sync(execution_space, X_MASK | TAG_MASK | TYPE_MASK);
    const int64_t unmatched =
        wanted->own.find(atoms, edges, now.evaluation, atomKK->k_tag.template view<DeviceType>());
    if (unmatched) this->refuse_unmatched(static_cast<tagint>(unmatched), requested_by);
    fetch_selection(wanted->own.crossing, wanted->crossing_edges);
    wanted->crossing_edges.evaluation = now.number;
    work.bond_seconds += platform::walltime() - t0;
    this->pair_up(wanted->crossing, wanted->crossing_edges, requested_by);
  }
  return {now, wanted->own, wanted->crossing.edges};
}

/* ----------------------------------------------------------------------
   edges within the cutoffs that styles have subscribed to, all of them where one reads their forces
------------------------------------------------------------------------- */

template <class DeviceType> void PairE3DKokkos<DeviceType>::select_edges()
{
  if (selected_cutsq.extent(0) == 0) {    // all have subscribed when the first one asks
    selected_cutsq = Kokkos::View<double *, DeviceType>("e3d:selected_cutsq", read_cutsq.size());
    const auto host = Kokkos::create_mirror_view(selected_cutsq);
    // a little more: the styles look at the distances themselves
    for (std::size_t k = 0; k < read_cutsq.size(); k++)
      host(k) = keeps_edge_forces ? HUGE_VAL : read_cutsq[k] * (1.0 + 1e-9);
    Kokkos::deep_copy(selected_cutsq, host);
  }
  atomKK->sync(execution_space, X_MASK | TYPE_MASK);
  selection.find(atoms, edges, selected_cutsq, 0, atoms.nall);
}

/* ---------------------------------------------------------------------- */

template <class DeviceType> void PairE3DKokkos<DeviceType>::fetch_atoms()
{
  atomKK->sync(Host, X_MASK | TAG_MASK | TYPE_MASK);
}

/* ----------------------------------------------------------------------
   bonds are paired on the host: their edges go out from there
------------------------------------------------------------------------- */

template <class DeviceType> void PairE3DKokkos<DeviceType>::forward_bonds()
{
  const auto own_space = execution_space;
  execution_space = Host;
  PairE3D::forward_bonds();
  execution_space = own_space;
}

/* ----------------------------------------------------------------------
   the spread of a committee: its other models run on the same edges
------------------------------------------------------------------------- */

template <class DeviceType> void PairE3DKokkos<DeviceType>::evaluate_members()
{
  device_committee.begin(atom->nlocal);
  for (int m = 0; m < num_models(); m++) {
    if (m > 0) evaluations[m]->run(atoms, edges, energy_unit);
    device_committee.begin_model(atoms.nall);
    require_numbers(evaluations[m]->add_forces(atoms, edges, device_committee.force(), ordered));
    device_committee.travelling.travel(device_committee.force(), execution_space,
                                       [this]() { comm->reverse_comm(this); });
    device_committee.end_model();
  }
  device_committee.end();
  frame.members = num_models() - 1;
}

/* ---------------------------------------------------------------------- */

template <class DeviceType>
int PairE3DKokkos<DeviceType>::pack_reverse_comm_kokkos(int n, int first, DAT::tdual_double_1d &k_buf)
{
  return device_committee.travelling.pack_range(n, first, k_buf.view<DeviceType>());
}

/* ---------------------------------------------------------------------- */

template <class DeviceType>
void PairE3DKokkos<DeviceType>::unpack_reverse_comm_kokkos(int n, DAT::tdual_int_1d k_list,
                                                           DAT::tdual_double_1d &k_buf)
{
  device_committee.travelling.add_listed(n, k_list.view<DeviceType>(), k_buf.view<DeviceType>());
}

/* ---------------------------------------------------------------------- */

template <class DeviceType> int PairE3DKokkos<DeviceType>::pack_reverse_comm(int n, int first, double *buf)
{
  return device_committee.travelling.pack_range_on_host(n, first, buf);
}

/* ---------------------------------------------------------------------- */

template <class DeviceType> void PairE3DKokkos<DeviceType>::unpack_reverse_comm(int n, int *list, double *buf)
{
  device_committee.travelling.add_listed_on_host(n, list, buf);
}

/* ---------------------------------------------------------------------- */

namespace LAMMPS_NS {
template class PairE3DKokkos<LMPDeviceType>;
#ifdef LMP_KOKKOS_GPU
template class PairE3DKokkos<LMPHostType>;
#endif
}    // namespace LAMMPS_NS
