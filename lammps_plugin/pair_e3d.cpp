/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "pair_e3d.h"

#include "datamasks.h"
#include "error_one.h"
#include "kokkos_styles.h"
#include "support/first_message.h"
#include "support/node_layout.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "neigh_list.h"
#include "neighbor.h"
#include "update.h"
#include "utils.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <set>
#include <stdexcept>
#include <utility>

using namespace LAMMPS_NS;

static constexpr const char *SPECIAL_BONDS =
    "special_bonds of weight 0 hide bonded neighbours from pair_style e3d: use "
    "'special_bonds lj/coul 1.0 1.0 1.0' (or 1.0e-50 for other styles in a hybrid)";

/* ---------------------------------------------------------------------- */

PairE3D::PairE3D(LAMMPS *lmp) : Pair(lmp)
{
  single_enable = 0;    // a many-body energy is no function of one pair
  restartinfo = 0;      // model paths and devices change between machines
  one_coeff = 1;
  manybody_flag = 1;
  no_virial_fdotr_compute = 1;
  centroidstressflag = CENTROID_AVAIL;
  unit_convert_flag = utils::get_supported_conversions(utils::ENERGY);
  comm_forward = E3D::BondedEdges::max_doubles();    // edges that cross a rank's surface
  comm_reverse = 3;                                  // forces of one model of a committee
  datamask_read = X_MASK | F_MASK | TYPE_MASK;       // of compute(); who asks for bonds reads TAG, too
  if (atom->molecular != Atom::ATOMIC) datamask_read |= SPECIAL_MASK;
  datamask_modify = F_MASK;
}

/* ---------------------------------------------------------------------- */

PairE3D::~PairE3D()
{
  if (allocated) {
    memory->destroy(setflag);
    memory->destroy(cutsq);
  }
}

/* ---------------------------------------------------------------------- */

PairE3D *PairE3D::find(LAMMPS *lmp, const std::string &requested_by)
{
  std::set<PairE3D *> found;    // also as part of a hybrid style, and as KOKKOS names it
  for (const char *style : {"e3d", "e3d/kk", "e3d/kk/device", "e3d/kk/host"})
    if (auto *pair = dynamic_cast<PairE3D *>(lmp->force->pair ? lmp->force->pair_match(style, 1) : nullptr))
      found.insert(pair);
  if (found.size() != 1)
    lmp->error->all(FLERR,
                    "{} needs exactly one pair_style e3d: define it before, as in "
                    "'pair_style e3d' and 'pair_coeff * * model.safetensors C H'",
                    requested_by);
  return *found.begin();
}

/* ----------------------------------------------------------------------
   pair_style e3d [chunk N|auto] [device auto|cpu|cuda|cuda:K|xpu|xpu:K] [precision auto|single|double] [committee K]
------------------------------------------------------------------------- */

void PairE3D::settings(int narg, char **arg)
{
  const std::string device_before = device, precision_before = precision;
  const int every_before = every;
  int chunk_centres = 0;
  device = precision = "auto";
  every = 0;
  for (int iarg = 0; iarg < narg; iarg += 2) {
    const std::string keyword = arg[iarg];
    if (keyword != "chunk" && keyword != "device" && keyword != "precision" && keyword != "committee")
      error->all(FLERR,
                 "Unknown pair_style e3d keyword '{}': it takes 'chunk N|auto', 'device "
                 "auto|cpu|cuda|cuda:K|xpu|xpu:K', 'precision auto|single|double' and 'committee K'",
                 keyword);
    if (iarg + 1 >= narg) utils::missing_cmd_args(FLERR, "pair_style e3d " + keyword, error);

    const std::string value = arg[iarg + 1];
    if (keyword == "chunk") {
      if (value == "auto") continue;
      chunk_centres = utils::inumeric(FLERR, value, false, lmp);
      if (chunk_centres < 1)
        error->all(FLERR, "pair_style e3d chunk must be auto or a positive number of atoms, not {}", value);
    } else if (keyword == "committee") {
      every = utils::inumeric(FLERR, value, false, lmp);
      if (every < 1)
        error->all(FLERR, "pair_style e3d committee must be a positive number of steps, not {}", value);
    } else if (keyword == "precision") {
      if (value != "auto" && value != "single" && value != "double")
        error->all(FLERR, "Unknown pair_style e3d precision '{}': choose auto, single or double", value);
      precision = value;
    } else {
      if (value != "auto" && value != "cpu" && value != "cuda" && value != "xpu" &&
          !utils::strmatch(value, "^cuda:\\d+$") && !utils::strmatch(value, "^xpu:\\d+$"))
        error->all(FLERR,
                   "Unknown pair_style e3d device '{}': choose auto, cpu, cuda, cuda:K, xpu or "
                   "xpu:K",
                   value);
      device = value;
    }
  }

  evaluation.set_chunk_centres(chunk_centres);

  // models that were loaded for other settings are none: init_style() then asks for pair_coeff
  if (device != device_before || precision != precision_before || every != every_before) {
    model.reset();
    members.clear();
    type_map.clear();
  }
}

/* ---------------------------------------------------------------------- */

void PairE3D::allocate()
{
  allocated = 1;
  const int n = atom->ntypes + 1;
  memory->create(setflag, n, n, "pair:setflag");
  memory->create(cutsq, n, n, "pair:cutsq");
}

/* ----------------------------------------------------------------------
   pair_coeff * * model [more models] T1 ... Tntypes
------------------------------------------------------------------------- */

void PairE3D::coeff(int narg, char **arg)
{
  const int ntypes = atom->ntypes;
  const int num_files = narg - 2 - ntypes;
  if (every ? num_files < 2 : num_files != 1) {
    if (every)
      error->all(FLERR,
                 "pair_coeff for e3d with 'committee' takes '* *', at least two models and one "
                 "model type for each of the {} atom types, but {} words follow '* *'",
                 ntypes, std::max(narg - 2, 0));
    error->all(FLERR,
               "pair_coeff for e3d takes '* * model.safetensors' and one model type for each of "
               "the {} atom types (NULL for types of another style), but {} words follow the model",
               ntypes, std::max(narg - 3, 0));
  }
  if (strcmp(arg[0], "*") != 0 || strcmp(arg[1], "*") != 0)
    error->all(FLERR, "pair_coeff for e3d must begin with '* *', not '{} {}'", arg[0], arg[1]);

  if (num_files - 1 > E3D::BondedEdges::MAX_MEMBERS)
    error->all(FLERR, "pair_coeff for e3d: a committee has at most {} models, not {}",
               E3D::BondedEdges::MAX_MEMBERS + 1, num_files);

  if (!allocated) allocate();
  type_map.clear();    // a caller that catches an error finds nothing set, not half of it
  model.reset();
  members.clear();
  model = load_model(arg[2]);
  model_file = arg[2];
  evaluation.set_plan(model->chunk_plan());
  banner_shown = false;
  load_members(num_files - 1, arg + 3);
  map_types(ntypes, arg + 2 + num_files);
  prepare_models();
}

/* ----------------------------------------------------------------------
   every rank loads the file; where one fails, all stop with its message
------------------------------------------------------------------------- */

std::unique_ptr<E3D::EdgeModel> PairE3D::load_model(const std::string &file)
{
  std::unique_ptr<E3D::EdgeModel> loaded;
  std::string message;
  try {
    loaded = open_model(file);
  } catch (const std::exception &e) {
    message = e.what();
  }

  message = E3D::first_message(world, message);
  if (!message.empty()) error->all(FLERR, "pair_style e3d: {}", message);
  return loaded;
}

/* ---------------------------------------------------------------------- */

std::unique_ptr<E3D::EdgeModel> PairE3D::open_model(const std::string &file)
{
  const E3D::NodeLayout node = E3D::node_layout(world);
  threads = node.threads;
  return E3D::load_edge_model(file, {device, precision, node.local_rank, node.node_ranks, threads});
}

/* ---------------------------------------------------------------------- */

void PairE3D::map_types(int ntypes, char **names)
{
  const auto &known = model->metadata().type_names;
  std::vector<int> map(ntypes + 1, -1);
  int count = 0;
  for (int i = 1; i <= ntypes; i++) {
    const std::string name = names[i - 1];
    if (name == "NULL") continue;
    const auto found = std::find(known.begin(), known.end(), name);
    if (found == known.end())
      error->all(FLERR, "pair_coeff for e3d: the model has no type '{}'; its types are: {}", name,
                 utils::join_words(known, " "));
    map[i] = static_cast<int>(found - known.begin());
    count++;
  }
  if (count == 0) error->all(FLERR, "pair_coeff for e3d: all atom types are NULL");
  type_map = std::move(map);
  types = E3D::TypeTable(type_map, model->metadata().cutoffs);
  labels = E3D::PairLabels(elements_of_types());

  for (int i = 1; i <= ntypes; i++)
    for (int j = 1; j <= ntypes; j++) setflag[i][j] = (type_map[i] >= 0 && type_map[j] >= 0) ? 1 : 0;
}

/* ----------------------------------------------------------------------
   the native engine makes its tables, for the types of the run only
------------------------------------------------------------------------- */

void PairE3D::prepare_models()
{
  std::set<int> used(type_map.begin() + 1, type_map.end());
  used.erase(-1);
  std::string message;
  try {
    model->prepare({used.begin(), used.end()});
    for (const auto &member : members) member->prepare({used.begin(), used.end()});
  } catch (const std::exception &e) {
    message = e.what();
  }
  message = E3D::first_message(world, message);
  if (!message.empty()) error->all(FLERR, "pair_style e3d: {}", message);
}

/* ---------------------------------------------------------------------- */

void PairE3D::require_frame(const std::string &requested_by) const
{
  if (!frame.is_current(update->ntimestep, atom->nlocal, atom->nghost))
    E3D::error_one(lmp, FLERR,
                   "{}: there are no edge energies of the atoms as they are now (the model ran last "
                   "on step {}); type 'run 0' first",
                   requested_by, frame.step);
}

/* ---------------------------------------------------------------------- */

const E3D::EdgeFrame &PairE3D::edge_frame(const std::string &requested_by)
{
  require_frame(requested_by);
  fetch_frame();
  return frame;
}

/* ---------------------------------------------------------------------- */

void PairE3D::subscribe_edges(const std::vector<double> &cutsq)
{
  for (std::size_t k = 0; k < cutsq.size(); k++) read_cutsq[k] = std::max(read_cutsq[k], cutsq[k]);
}

/* ---------------------------------------------------------------------- */

const E3D::EdgeFrame &PairE3D::edge_frame_with_forces(const std::string &requested_by)
{
  const E3D::EdgeFrame &current = edge_frame(requested_by);
  if (current.g.size() != 3 * static_cast<std::size_t>(current.edges()))
    E3D::error_one(lmp, FLERR, "{}: the forces of the edges were not kept on step {}; type 'run 0' first",
                   requested_by, current.step);
  return current;
}

/* ---------------------------------------------------------------------- */

std::vector<std::string> PairE3D::elements_of_types() const
{
  std::vector<std::string> elements(atom->ntypes + 1);
  for (int i = 1; i <= atom->ntypes; i++)
    if (type_map[i] >= 0) elements[i] = model->metadata().type_elements[type_map[i]];
  return elements;
}

/* ---------------------------------------------------------------------- */

void PairE3D::init_style()
{
  if (type_map.empty())
    error->all(FLERR,
               "All pair coeffs are not set: 'pair_coeff * * model.safetensors C H' (again after a "
               "pair_style e3d with another device, precision or committee)");
  if (atom->tag_enable == 0) error->all(FLERR, "pair_style e3d needs atom IDs: remove 'atom_modify id no'");
  if (force->newton_pair == 0)
    error->all(FLERR, "pair_style e3d needs 'newton on' before the box is created");
  if (strcmp(update->unit_style, "metal") == 0)
    energy_unit = 1.0;
  else if (strcmp(update->unit_style, "real") == 0)
    energy_unit = utils::get_conversion_factor(utils::ENERGY, utils::METAL2REAL);
  else
    error->all(FLERR,
               "pair_style e3d works in eV and Angstrom: use 'units metal' (or 'units real'), "
               "not 'units {}'",
               update->unit_style);
  check_topology();

  neighbor->add_request(this, NeighConst::REQ_FULL);
  bonds.clear();    // computes and fixes, whose init() follows, subscribe again
  keeps_edge_forces = false;
  read_cutsq.assign(type_map.size() * type_map.size(), 0.0);
  begin_work();
  show_banner();
}

/* ----------------------------------------------------------------------
   LAMMPS leaves special neighbours of weight 0 out of the list: the model would not see its bonds
------------------------------------------------------------------------- */

void PairE3D::check_topology()
{
  if (atom->molecular != Atom::ATOMIC && atom->nbonds > 0) {
    for (int k = 1; k <= 3; k++)
      if (force->special_lj[k] == 0.0 && force->special_coul[k] == 0.0) error->all(FLERR, SPECIAL_BONDS);
  }
  if (utils::strmatch(force->pair_style, "^hybrid/scaled") && !scaled_reported && comm->me == 0)
    error->warning(FLERR,
                   "hybrid/scaled scales the energy and the forces of pair_style e3d, but not the edge "
                   "energies that its computes and fixes read");
  scaled_reported = true;
  // neighbor->exclude itself is set only later, by Neighbor::init()
  const bool exclusions = neighbor->nex_type || neighbor->nex_group || neighbor->nex_mol;
  const bool missing = exclusions || neighbor->includegroup;
  if (missing && !missing_reported && comm->me == 0)
    error->warning(
        FLERR,
        "{} (neigh_modify {}) are invisible to pair_style e3d: energies of atoms near them are not "
        "the model's",
        exclusions ? "Excluded neighbours" : "Atoms outside of a group", exclusions ? "exclude" : "include");
  missing_reported = missing;
}

/* ----------------------------------------------------------------------
   the same for bonds that have come since init_style(), by whatever command: those of the list as it was built
------------------------------------------------------------------------- */

void PairE3D::check_special_neighbours()
{
  const int *flag = neighbor->special_flag;    // 0: such neighbours are left out
  if (neighbor->ago != 0 || atom->molecular == Atom::ATOMIC || (flag[1] && flag[2] && flag[3])) return;
  if (atom->molecular == Atom::TEMPLATE &&
      atom->nbonds > 0)    // they are in the template, not with the atoms
    E3D::error_one(lmp, FLERR, "on step {} there are bonds, and {}", update->ntimestep, SPECIAL_BONDS);
  for (int i = 0; i < atom->nlocal && atom->molecular == Atom::MOLECULAR; i++) {
    const int *count = atom->nspecial[i];    // of the first kind, of the first two, of all three
    for (int k = 1; k <= 3; k++)
      if (!flag[k] && count[k - 1] > (k == 1 ? 0 : count[k - 2]))
        E3D::error_one(lmp, FLERR, "on step {} there are bonds of atom {}, and {}", update->ntimestep,
                       atom->tag[i], SPECIAL_BONDS);
  }
}

/* ---------------------------------------------------------------------- */

void PairE3D::show_banner()
{
  if (banner_shown || comm->me != 0) return;
  banner_shown = true;

  const auto &m = model->metadata();
  const int64_t centres = evaluation.chunk_centres();
  const std::string size = centres > 0 ? std::to_string(centres) + " atoms" : "auto";
  utils::logmesg(lmp, "e3d: {} | types {} | cutoff {:g} | {} | {} {} | device {}, {} thread{} | chunk {}{}\n",
                 model_file, utils::join_words(m.type_names, " "), m.r_max, m.decomposition, m.engine,
                 m.model_dtype, model->device(), threads, threads == 1 ? "" : "s", size,
                 every ? fmt::format(" | committee of {} every {} steps", num_models(), every) : "");
  if (!E3D::why_no_kokkos_styles().empty())
    utils::logmesg(lmp, "e3d: runs on the host, although KOKKOS is on: {}\n", E3D::why_no_kokkos_styles());
  if (m.decomposition != "cohesive")
    error->warning(FLERR,
                   "The edge energies of this model are a partition of its energy, not bond "
                   "energies (decomposition: {})",
                   m.decomposition);
}

/* ---------------------------------------------------------------------- */

double PairE3D::init_one(int i, int j)
{
  if (setflag[i][j] == 0) error->all(FLERR, "All pair coeffs are not set: 'pair_coeff * * model ...'");
  return std::max(types.cutoff(i, j), types.cutoff(j, i));
}

/* ---------------------------------------------------------------------- */

E3D::NeighborView PairE3D::neighbor_view() const
{
  return {list->inum, list->ilist, list->numneigh, list->firstneigh,
          NEIGHMASK,  atom->x,     atom->type,     atom->tag};
}

/* ---------------------------------------------------------------------- */

void PairE3D::compute(int eflag, int vflag)
{
  ev_init(eflag, vflag);
  begin_frame();
  if (is_committee_step())
    evaluate_committee();
  else
    evaluate_first();
  end_frame();
}

/* ---------------------------------------------------------------------- */

void PairE3D::begin_work()
{
  work = Work();
  evaluation.reset_seconds();
}

/* ----------------------------------------------------------------------
   end of run: where the pair style's time went, over all ranks
------------------------------------------------------------------------- */

void PairE3D::finish()
{
  if (work.steps == 0) return;
  const E3D::EvaluationSeconds &seconds = evaluation.seconds();
  // not const: src/STUBS wants it so
  constexpr int NUM_PARTS = 5;
  const char *names[NUM_PARTS] = {"Edge list", "Copy", "Model", "Scatter", "Bonds"};
  double mine[NUM_PARTS] = {work.edge_seconds + seconds.fill, seconds.copy,
                            work.model_seconds + seconds.model, seconds.receive, work.bond_seconds};
  bigint counts[2] = {work.evaluated_edges, work.bytes_sent};
  double minimum[NUM_PARTS], maximum[NUM_PARTS], sum[NUM_PARTS];
  bigint all[2] = {0, 0};
  MPI_Reduce(mine, minimum, NUM_PARTS, MPI_DOUBLE, MPI_MIN, 0, world);
  MPI_Reduce(mine, maximum, NUM_PARTS, MPI_DOUBLE, MPI_MAX, 0, world);
  MPI_Reduce(mine, sum, NUM_PARTS, MPI_DOUBLE, MPI_SUM, 0, world);
  MPI_Reduce(counts, all, 2, MPI_LMP_BIGINT, MPI_SUM, 0, world);
  const bigint steps = work.steps;
  begin_work();
  if (comm->me != 0) return;

  const double total = std::max(std::accumulate(sum, sum + NUM_PARTS, 0.0), 1e-300);
  const double pair_total = total - sum[NUM_PARTS - 1];    // without the bonds
  std::string table = "\npair_style e3d task breakdown, seconds per rank:\n"
                      "Part      |  min time  |  avg time  |  max time  | %part\n"
                      "-------------------------------------------------------\n";
  for (int k = 0; k < NUM_PARTS; k++)
    table += fmt::format("{:<10}| {:<10.5g} | {:<10.5g} | {:<10.5g} | {:5.2f}\n", names[k], minimum[k],
                         sum[k] / comm->nprocs, maximum[k], 100.0 * sum[k] / total);
  table += fmt::format("{} evaluations, {:.6g} edges each, {:.4g} microseconds per edge and rank\n", steps,
                       static_cast<double>(all[0]) / static_cast<double>(steps),
                       all[0] > 0 ? 1e6 * pair_total / static_cast<double>(all[0]) : 0.0);
  if (all[1] > 0) table += fmt::format("{} bytes sent to pair the edges of bonds\n", all[1]);
  utils::logmesg(lmp, table);
}

/* ---------------------------------------------------------------------- */

double PairE3D::memory_usage()
{
  double bytes = 0.0;
  for (const auto &one : bonds) bytes += one->edges.memory_usage();
  if (model) bytes += model->memory_usage();
  for (const auto &member : members) bytes += member->memory_usage();
  return bytes + Pair::memory_usage() + frame.memory_usage() + committee.memory_usage() +
      evaluation.memory_usage();
}
