/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "fix_e3d_bonds.h"

#include "compute_arguments.h"
#include "datamasks.h"
#include "error_one.h"
#include "pair_e3d.h"
#include "support/first_message.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "group.h"
#include "update.h"
#include "utils.h"

#include <algorithm>
#include <climits>
#include <cmath>
#include <cstring>
#include <stdexcept>

using namespace LAMMPS_NS;
using namespace FixConst;

/* ----------------------------------------------------------------------
   fix ID group e3d/bonds Nevery file F [form D_on] [break D_off] [cutoff C]
       [criterion energy|distance] [species F2]
------------------------------------------------------------------------- */

FixE3DBonds::FixE3DBonds(LAMMPS *lmp, int narg, char **arg) :
    Fix(lmp, narg, arg), name("fix " + std::string(arg[0]) + " e3d/bonds")
{
  parse(narg, arg);

  vector_flag = 1;
  size_vector = 4;
  global_freq = 1;
  extvector = 0;
  restart_global = 1;
  restart_peratom = 1;
  stores_ids = 1;
  create_attribute = 1;    // new atoms begin without bonds
  time_depend = 1;         // reset_timestep would put the rows of the files out of order
  comm_forward = comm_reverse = 1;
  datamask_read = X_MASK | TAG_MASK | TYPE_MASK | MASK_MASK;
  datamask_modify = EMPTY_MASK;
  // not as many as there are now: comm_style tiled of KOKKOS then grows its buffers at every exchange
  // (LAMMPS 4 Jul 2026)
  maxexchange = E3D::BondState::doubles_of(E3D::BondState::MAX_BONDS);

  FixE3DBonds::grow_arrays(atom->nmax);
  atom->add_callback(Atom::GROW);
  atom->add_callback(Atom::RESTART);
}

/* ---------------------------------------------------------------------- */

FixE3DBonds::~FixE3DBonds()
{
  atom->delete_callback(id, Atom::GROW);
  atom->delete_callback(id, Atom::RESTART);
}

/* ---------------------------------------------------------------------- */

void FixE3DBonds::parse(int narg, char **arg)
{
  if (narg < 6) utils::missing_cmd_args(FLERR, name, error);
  nevery = utils::inumeric(FLERR, arg[3], false, lmp);
  if (nevery < 1) error->all(FLERR, "{}: Nevery must be a positive number of steps, not {}", name, nevery);

  for (int iarg = 4; iarg < narg; iarg++) {
    const std::string keyword = arg[iarg];
    if (keyword != "file" && keyword != "form" && keyword != "break" && keyword != "cutoff" &&
        keyword != "criterion" && keyword != "species")
      error->all(FLERR,
                 "{}: unknown keyword '{}'; it takes 'file F', 'form D', 'break D', 'cutoff C', "
                 "'criterion energy|distance' and 'species F'",
                 name, keyword);
    if (iarg + 1 >= narg) utils::missing_cmd_args(FLERR, name + " " + keyword, error);

    if (keyword == "form") {
      iarg = parse_threshold(iarg + 1, narg, arg, form_words);
    } else if (keyword == "break") {
      iarg = parse_threshold(iarg + 1, narg, arg, break_words);
    } else if (keyword == "cutoff") {
      cutoff_words = E3D::parse_cutoff(lmp, name, narg, arg, ++iarg);
      iarg--;
    } else if (keyword == "criterion") {
      const std::string value = arg[++iarg];
      if (value != "energy" && value != "distance")
        error->all(FLERR, "{}: criterion must be energy or distance, not '{}'", name, value);
      criterion = value == "energy" ? E3D::BondCriterion::Energy : E3D::BondCriterion::Distance;
    } else {
      (keyword == "file" ? events_path : species_path) = arg[++iarg];
    }
  }

  if (events_path.empty())
    error->all(FLERR, "{}: give the file of the events, as in '{} all e3d/bonds {} file bonds.txt'", name,
               std::string("fix ") + id, nevery);
  if (events_path == species_path)
    error->all(FLERR, "{}: file and species need two different files, not {} twice", name, species_path);
  species_wanted = !species_path.empty();
  if (criterion == E3D::BondCriterion::Distance)
    for (const auto *words : {&form_words, &break_words})
      for (const auto &word : *words)
        if (!word.map_file.empty())
          error->all(FLERR,
                     "{}: a map holds energies: 'criterion distance' takes 'form' and 'break' in "
                     "Angstrom",
                     name);
}

/* ----------------------------------------------------------------------
   "NUMBER", "LABEL NUMBER" or "map FILE" from word iarg on; returns the last word of it
------------------------------------------------------------------------- */

int FixE3DBonds::parse_threshold(int iarg, int narg, char **arg, std::vector<E3D::ThresholdWord> &words)
{
  const std::string keyword = arg[iarg - 1];
  E3D::ThresholdWord word;
  if (utils::is_double(arg[iarg])) {
    word.value = utils::numeric(FLERR, arg[iarg], false, lmp);
  } else {
    const bool is_map = strcmp(arg[iarg], "map") == 0;
    if (!is_map && !strchr(arg[iarg], '-'))
      error->all(FLERR,
                 "{}: {} takes a number, a pair and a number such as 'C-H -2.0', or 'map FILE', not "
                 "'{}'",
                 name, keyword, arg[iarg]);
    if (iarg + 1 >= narg) utils::missing_cmd_args(FLERR, name + " " + keyword + " " + arg[iarg], error);
    if (is_map) {
      word.map_file = arg[iarg + 1];
    } else {
      word.label = arg[iarg];
      word.value = utils::numeric(FLERR, arg[iarg + 1], false, lmp);
    }
    iarg++;
  }
  words.push_back(word);
  return iarg;
}

/* ---------------------------------------------------------------------- */

int FixE3DBonds::setmask()
{
  return END_OF_STEP;
}

/* ---------------------------------------------------------------------- */

void FixE3DBonds::init()
{
  pair = PairE3D::find(lmp, name);
  cutsq = E3D::bond_cutoffs(lmp, name, *pair, cutoff_words);
  subscription = pair->subscribe_bonds(cutsq);
  set_elements();
  // once: a map that the run goes on writing may change; but other labels need others
  if (static_cast<int>(thresholds.form.size()) != pair->pair_labels().size()) set_thresholds();
  open_files();
}

/* ---------------------------------------------------------------------- */

void FixE3DBonds::set_elements()
{
  const auto &pair_labels = pair->pair_labels();
  elements.clear();
  element_of_type.assign(atom->ntypes + 1, -1);
  for (int t = 1; t <= atom->ntypes; t++) {
    const std::string &element = pair_labels.element(t);
    if (element.empty()) continue;
    const auto found = std::find(elements.begin(), elements.end(), element);
    element_of_type[t] = static_cast<int>(found - elements.begin());
    if (found == elements.end()) elements.push_back(element);
  }
}

/* ---------------------------------------------------------------------- */

void FixE3DBonds::set_thresholds()
{
  const auto &pair_labels = pair->pair_labels();
  const int width = atom->ntypes + 1;
  const bool is_real = strcmp(update->unit_style, "real") == 0;
  E3D::ThresholdContext context{
      pair_labels, std::vector<double>(pair_labels.size(), 0.0), std::vector<char>(pair_labels.size(), 0),
      is_real ? utils::get_conversion_factor(utils::ENERGY, utils::METAL2REAL) : 1.0};

  // a pair of elements can occur if there are two atoms of the group to make it
  std::vector<bigint> mine(elements.size(), 0), count(elements.size(), 0);
  for (int i = 0; i < atom->nlocal; i++)
    if ((atom->mask[i] & groupbit) && element_of_type[atom->type[i]] >= 0)
      mine[element_of_type[atom->type[i]]]++;
  MPI_Allreduce(mine.data(), count.data(), static_cast<int>(mine.size()), MPI_LMP_BIGINT, MPI_SUM, world);

  for (int t = 1; t < width; t++)
    for (int u = 1; u < width; u++) {
      const int label = pair_labels.of_types(t, u);
      if (label == E3D::PairLabels::NONE) continue;
      context.cutoff[label] = std::max(context.cutoff[label], std::sqrt(cutsq[t * width + u]));
      const int needed = pair_labels.is_like(label) ? 2 : 1;
      context.occurs[label] = count[element_of_type[t]] >= needed && count[element_of_type[u]] >= needed;
    }

  std::string message;
  try {
    thresholds = E3D::bond_thresholds(criterion, form_words, break_words, context);
  } catch (const std::runtime_error &e) {
    message = e.what();
  }
  message = E3D::first_message(world, message);    // a map that one node does not see
  if (!message.empty()) error->all(FLERR, "{}: {}", name, message);
  // a map that is written meanwhile may not be the same for all ranks
  MPI_Bcast(thresholds.form.data(), static_cast<int>(thresholds.form.size()), MPI_DOUBLE, 0, world);
  MPI_Bcast(thresholds.break_off.data(), static_cast<int>(thresholds.break_off.size()), MPI_DOUBLE, 0, world);
}

/* ----------------------------------------------------------------------
   once, before the first sample; after read_restart the files of the run before go on
------------------------------------------------------------------------- */

void FixE3DBonds::open_files()
{
  const bool by_energy = criterion == E3D::BondCriterion::Energy;
  std::string header =
      fmt::format("e3d-bonds/1\ncriterion {}\ncutoff {}\nunits {}\n", by_energy ? "energy" : "distance",
                  utils::join_words(cutoff_words, " "), update->unit_style);
  const auto &pair_labels = pair->pair_labels();
  for (int label = 0; label < pair_labels.size(); label++)
    if (thresholds.are_known(label))
      header += fmt::format("form {0} {1:.17g}\nbreak {0} {2:.17g}\n", pair_labels.name(label),
                            thresholds.form[label], thresholds.break_off[label]);
  header += "columns step id1 id2 type1 type2 label D A r event\n";

  if (!events_header.empty()) {
    if (header != events_header)
      error->all(FLERR,
                 "{}: the pairs or thresholds have changed since {} was begun: 'unfix {}', then define "
                 "the fix again with another file",
                 name, events_path, id);
    return;
  }
  events_header = header;
  if (restart_step >= 0 && restart_step != update->ntimestep)
    error->all(FLERR,
               "{}: its files stop at step {} of the restart file, and this run starts at step {}: remove "
               "'reset_timestep', or give the fix another ID and other files",
               name, restart_step, update->ntimestep);
  on_rank_0([&] {
    const std::string species_header = "e3d-species/1\ncolumns step molecules species formulas...\n";
    if (restart_step >= 0) {
      events_file.resume(events_path, header, restart_step);
      if (!species_path.empty())
        last_species_row = species_file.resume(species_path, species_header, restart_step);
    } else {
      events_file.begin(events_path, header);
      if (!species_path.empty()) species_file.begin(species_path, species_header);
    }
  });
}

/* ----------------------------------------------------------------------
   collective: if rank 0 cannot do it, all ranks stop with its message
------------------------------------------------------------------------- */

void FixE3DBonds::on_rank_0(const std::function<void()> &action)
{
  std::string message;
  if (comm->me == 0) {
    try {
      action();
    } catch (const std::exception &e) {
      message = e.what();
    }
  }
  message = E3D::first_message(world, message);
  if (!message.empty()) error->all(FLERR, "{}: {}", name, message);
}

/* ---------------------------------------------------------------------- */

void FixE3DBonds::setup(int /*vflag*/)
{
  if (!begun || update->ntimestep % nevery == 0) sample();
}

void FixE3DBonds::min_setup(int vflag)
{
  setup(vflag);
}

void FixE3DBonds::end_of_step()
{
  sample();
}

/* ----------------------------------------------------------------------
   which bonds there are now, and what has happened since the last sample
------------------------------------------------------------------------- */

void FixE3DBonds::sample()
{
  if (update->ntimestep < newest_step)    // only rerun can do it
    error->all(FLERR,
               "{}: step {} comes after step {}: for a rerun, 'unfix', then 'reset_timestep' to the dump's "
               "first step, and define the fix again with another file",
               name, update->ntimestep, newest_step);
  newest_step = update->ntimestep;
  const E3D::BondedEdges &edges = pair->bonded_edges(subscription, name);

  events.clear();
  bigint mine[2] = {0, 0}, all[2];
  for (int i = 0; i < atom->nlocal; i++) {
    if (begun && bonds.id(i) && bonds.id(i) != atom->tag[i])
      E3D::error_one(
          lmp, FLERR,
          "{}: atom {} has become atom {} since the last sample, and bonds are known by the ids of their "
          "atoms: use 'delete_atoms ... compress no', or 'unfix {}' before atoms are numbered anew and "
          "define the fix again with another file",
          name, bonds.id(i), atom->tag[i], id);
    find_candidates(edges, i);
    bonds.update(i, atom->tag[i], candidates, thresholds, !begun, events);
    mine[0] += bonds.num_bonds(i);
    check_number(i);
  }
  begun = true;

  mine[1] = static_cast<bigint>(events.size());
  MPI_Allreduce(mine, all, 2, MPI_LMP_BIGINT, MPI_SUM, world);
  num_bonds = all[0];
  num_events += all[1];
  if (all[1]) gather_events();
  if (species_wanted) count_species();
}

/* ---------------------------------------------------------------------- */

void FixE3DBonds::check_number(int i) const
{
  if (bonds.num_bonds(i) > E3D::BondState::MAX_BONDS)
    E3D::error_one(lmp, FLERR, "{}: atom {} has {} bonds, and at most {} are kept: use a shorter 'cutoff'",
                   name, atom->tag[i], bonds.num_bonds(i), E3D::BondState::MAX_BONDS);
}

/* ----------------------------------------------------------------------
   the pairs of atom i within the group, if i is the one that keeps the bond: the first atom of the label,
   but for labels of which only the second one sees all pairs (directed cutoffs that differ)
------------------------------------------------------------------------- */

void FixE3DBonds::find_candidates(const E3D::BondedEdges &edges, int i)
{
  candidates.clear();
  if (!(atom->mask[i] & groupbit)) return;
  const auto &pair_labels = pair->pair_labels();
  const int width = atom->ntypes + 1, itype = atom->type[i];
  const double *const *x = atom->x;

  for (int64_t e = edges.first_edge(i); e < edges.first_edge(i + 1); e++) {
    const auto &edge = edges.edges()[e];
    const int j = edge.neighbour, jtype = atom->type[j];
    if (!edge.inside || !(atom->mask[j] & groupbit)) continue;
    const double r[3] = {x[j][0] - x[i][0], x[j][1] - x[i][1], x[j][2] - x[i][2]};
    const bool is_first = pair_labels.is_first(itype, atom->tag[i], jtype, atom->tag[j], r);
    const double mine = cutsq[itype * width + jtype], theirs = cutsq[jtype * width + itype];
    if (!(is_first ? mine >= theirs : mine > theirs)) continue;

    const int label = pair_labels.of_types(itype, jtype);
    if (!thresholds.are_known(label))
      E3D::error_one(lmp, FLERR,
                     "{}: on step {} there is a pair {}, of which no thresholds are known: give them, as in "
                     "'form {} -1.0 break {} -0.5'",
                     name, update->ntimestep, pair_labels.name(label), pair_labels.name(label),
                     pair_labels.name(label));
    candidates.push_back({static_cast<int64_t>(atom->tag[j]), itype, jtype, is_first, label,
                          edge.eps + edge.reverse,
                          is_first ? edge.eps - edge.reverse : edge.reverse - edge.eps,
                          std::sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2])});
  }
}

/* ---------------------------------------------------------------------- */

// MPI counts in 32 bits what one message of all ranks holds

std::vector<int> FixE3DBonds::offsets_of(const std::vector<int> &counts, const char *what) const
{
  std::vector<int> offsets;
  bigint sum = 0;
  for (int count : counts) {
    offsets.push_back(static_cast<int>(sum));
    sum += count;
    if (sum > INT_MAX)
      E3D::error_one(
          lmp, FLERR,
          "{} on step {}: the {} of all ranks are more than one message holds; take samples more often "
          "(Nevery), or watch fewer atoms by the group",
          name, update->ntimestep, what);
  }
  return offsets;
}

/* ---------------------------------------------------------------------- */

void FixE3DBonds::gather_events()
{
  MPI_Datatype record;
  MPI_Type_contiguous(static_cast<int>(sizeof(E3D::BondEvent)), MPI_BYTE, &record);
  MPI_Type_commit(&record);

  int mine = static_cast<int>(events.size());
  std::vector<int> counts(comm->nprocs);
  MPI_Gather(&mine, 1, MPI_INT, counts.data(), 1, MPI_INT, 0, world);
  std::vector<int> offsets = offsets_of(counts, "events");
  std::vector<E3D::BondEvent> gathered(comm->me == 0 ? offsets.back() + counts.back() : 0);
  MPI_Gatherv(events.data(), mine, record, gathered.data(), counts.data(), offsets.data(), record, 0, world);
  MPI_Type_free(&record);
  if (comm->me == 0) write_events(gathered);
}

/* ---------------------------------------------------------------------- */

void FixE3DBonds::write_events(std::vector<E3D::BondEvent> &rows)
{
  std::sort(rows.begin(), rows.end(), [](const auto &a, const auto &b) {
    if (a.id1 != b.id1) return a.id1 < b.id1;
    return a.id2 != b.id2 ? a.id2 < b.id2 : a.formed < b.formed;
  });
  const auto &pair_labels = pair->pair_labels();
  std::string text;
  for (const auto &row : rows) {
    const int label = pair_labels.of_types(row.type1, row.type2);
    text +=
        fmt::format("{} {} {} {} {} {} {:.17g} {:.17g} {:.17g} {}\n", update->ntimestep, row.id1, row.id2,
                    row.type1, row.type2, label == E3D::PairLabels::NONE ? "NULL" : pair_labels.name(label),
                    row.D, row.A, row.r, row.formed ? "formed" : "broken");
  }
  std::string message;
  try {
    events_file.append(text);
  } catch (const std::runtime_error &e) {
    message = e.what();
  }
  if (!message.empty()) E3D::error_one(lmp, FLERR, "{}: {}", name, message);
}

/* ----------------------------------------------------------------------
   numbers of the last sample: bonds, events so far, molecules, species
------------------------------------------------------------------------- */

double FixE3DBonds::compute_vector(int n)
{
  if (n >= 2 && !species_wanted) {    // from now on at every sample
    species_wanted = true;
    if (begun) {
      PairE3D::find(lmp, name)->require_frame(name);    // stops where the ghost atoms are not those of now
      count_species();
    }
  }
  const bigint values[4] = {num_bonds, num_events, num_molecules, num_species};
  return static_cast<double>(values[n]);
}

/* ---------------------------------------------------------------------- */

double FixE3DBonds::memory_usage()
{
  return bonds.memory_usage() + static_cast<double>(labels.capacity()) * sizeof(double) * 3.0;
}
