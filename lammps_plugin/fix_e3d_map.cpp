/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "fix_e3d_map.h"

#include "compute_arguments.h"
#include "datamasks.h"
#include "error_one.h"
#include "pair_e3d.h"
#include "support/first_message.h"
#include "support/whole_file.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "group.h"
#include "update.h"
#include "utils.h"

#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstring>
#include <stdexcept>

using namespace LAMMPS_NS;
using namespace FixConst;

static constexpr double DEFAULT_BIN = 0.1;    // eV, whatever the units of the run
static constexpr const char *MAP_FORMAT = "e3d-map/1";

static std::string one_line(std::string text)
{
  std::replace(text.begin(), text.end(), '#', ' ');    // would begin a comment
  return utils::join_words(utils::split_words(text), " ");
}

/* ----------------------------------------------------------------------
   fix ID group e3d/map Nevery Nrepeat Nfreq file F [bin W] [cutoff C] [pairs A-B ...] [ave one|running]
       [reference FILE]
------------------------------------------------------------------------- */

FixE3DMap::FixE3DMap(LAMMPS *lmp, int narg, char **arg) :
    Fix(lmp, narg, arg), name("fix " + std::string(arg[0]) + " e3d/map"), cutoff_words{"covalent"}
{
  pair = PairE3D::find(lmp, name);
  if (pair->pair_labels().size() == 0)
    error->all(FLERR,
               "{}: the elements are not known yet; put 'pair_coeff * * model.safetensors C H' before "
               "this fix",
               name);
  parse(narg, arg);
  check_writable();
  read_reference();

  restart_global = 1;
  time_depend = 1;    // reset_timestep would put the samples at the wrong steps
  dynamic_group_allow = 1;
  datamask_read = X_MASK | TAG_MASK | TYPE_MASK | MASK_MASK;
  datamask_modify = EMPTY_MASK;

  array_flag = 1;
  extarray = 0;
  scalar_flag = reference_file.empty() ? 0 : 1;
  extscalar = 0;
  global_freq = 1;    // the values of the last output may be asked for on any step
  size_array_rows = static_cast<int>(map->labels().size());
  size_array_cols = reference_file.empty() ? UNVISITED : NUM_COLUMNS;
  table.assign(static_cast<std::size_t>(size_array_rows) * NUM_COLUMNS, 0.0);

  next_sample = next_valid();
  newest_step = update->ntimestep;

  if (comm->me == 0) {
    std::string rows;
    for (int k = 0; k < size_array_rows; k++) rows += fmt::format(" {} {}", k + 1, map->labels()[k].name);
    utils::logmesg(lmp, "{} rows:{}\n", name, rows);
    if (reference) utils::logmesg(lmp, "{} reference {}: {}\n", name, reference_file, reference_text);
  }
}

/* ---------------------------------------------------------------------- */

void FixE3DMap::parse(int narg, char **arg)
{
  if (narg < 6) utils::missing_cmd_args(FLERR, name, error);
  nevery = utils::inumeric(FLERR, arg[3], false, lmp);
  nrepeat = utils::inumeric(FLERR, arg[4], false, lmp);
  nfreq = utils::inumeric(FLERR, arg[5], false, lmp);
  if (nevery < 1 || nrepeat < 1 || nfreq < 1)
    error->all(FLERR, "{}: Nevery Nrepeat Nfreq must be positive numbers, not {} {} {}", name, nevery,
               nrepeat, nfreq);
  if (nfreq % nevery || (nrepeat - 1) * nevery >= nfreq)
    error->all(FLERR,
               "{}: Nfreq must be a multiple of Nevery and (Nrepeat - 1) * Nevery less than Nfreq, "
               "unlike {} {} {}",
               name, nevery, nrepeat, nfreq);

  const bool is_real = strcmp(update->unit_style, "real") == 0;
  double width =
      DEFAULT_BIN * (is_real ? utils::get_conversion_factor(utils::ENERGY, utils::METAL2REAL) : 1.0);
  std::vector<std::string> pair_words;

  static const std::vector<std::string> keywords = {"file", "bin", "cutoff", "pairs", "ave", "reference"};
  const auto is_keyword = [](const std::string &word) {
    return std::find(keywords.begin(), keywords.end(), word) != keywords.end();
  };
  for (int iarg = 6; iarg < narg;) {
    const std::string keyword = arg[iarg++];
    if (!is_keyword(keyword))
      error->all(FLERR,
                 "{}: unknown keyword '{}'; it takes 'file F', 'bin W', 'cutoff C', 'pairs A-B ...', "
                 "'ave one|running' and 'reference FILE'",
                 name, keyword);
    if (iarg >= narg) utils::missing_cmd_args(FLERR, name + " " + keyword, error);
    const std::string value = arg[iarg];
    if (keyword == "file" || keyword == "reference") {
      (keyword == "file" ? file : reference_file) = value;
      iarg++;
    } else if (keyword == "bin") {
      width = utils::numeric(FLERR, value, false, lmp);
      if (width <= 0.0) error->all(FLERR, "{} bin must be a positive energy, not {}", name, value);
      iarg++;
    } else if (keyword == "cutoff") {
      cutoff_words = E3D::parse_cutoff(lmp, name, narg, arg, iarg);
    } else if (keyword == "ave") {
      if (value != "one" && value != "running")
        error->all(FLERR, "{} ave must be one or running, not '{}'", name, value);
      running = value == "running";
      iarg++;
    } else {
      for (; iarg < narg && !is_keyword(arg[iarg]); iarg++) pair_words.emplace_back(arg[iarg]);
      if (pair_words.empty()) utils::missing_cmd_args(FLERR, name + " pairs", error);
    }
  }
  if (file.empty()) error->all(FLERR, "{}: say where the map goes with 'file F'", name);

  const E3D::PairLabels &labels = pair->pair_labels();
  for (int k = 0; k < labels.size(); k++) pair_names.push_back(labels.name(k));
  choose_rows(pair_words.empty() ? pair_names : pair_words);
  std::vector<std::pair<std::string, bool>> rows(
      labels.size() - std::count(row_of_label.begin(), row_of_label.end(), E3D::PairLabels::NONE));
  for (int k = 0; k < labels.size(); k++)
    if (row_of_label[k] != E3D::PairLabels::NONE) rows[row_of_label[k]] = {labels.name(k), labels.is_like(k)};
  map = std::make_unique<E3D::EnergyMap>(width, rows);

  settings = fmt::format("{} {} {} group {} bin {} cutoff {} ave {} units {} model {} pairs", nevery, nrepeat,
                         nfreq, group->names[igroup], E3D::real_text(width), cutoff_text(),
                         running ? "running" : "one", update->unit_style, pair->model_source().substr(0, 12));
  for (const auto &row : rows) settings += " " + row.first;
}

/* ----------------------------------------------------------------------
   one row of the array for each pair, in the order of the words
------------------------------------------------------------------------- */

void FixE3DMap::choose_rows(const std::vector<std::string> &words)
{
  row_of_label.assign(pair_names.size(), E3D::PairLabels::NONE);
  int row = 0;
  for (const auto &word : words) {
    std::string message;
    int label = 0;
    try {
      label = pair->pair_labels().of_word(word);
    } catch (const std::runtime_error &e) {
      message = e.what();
    }
    if (!message.empty()) error->all(FLERR, "{}: {}", name, message);
    if (row_of_label[label] != E3D::PairLabels::NONE)
      error->all(FLERR, "{}: the pair {} is named twice", name, pair_names[label]);
    row_of_label[label] = row++;
  }
}

/* ---------------------------------------------------------------------- */

void FixE3DMap::check_writable() const
{
  const std::string problem =
      E3D::first_message(world, comm->me == 0 ? E3D::why_not_writable(file) : std::string());
  if (!problem.empty()) error->all(FLERR, "{}: cannot write the map file {}: {}", name, file, problem);
}

/* ----------------------------------------------------------------------
   rank 0 has the reference, as it has the whole map whenever one is compared; all know how much is in it
------------------------------------------------------------------------- */

void FixE3DMap::read_reference()
{
  reference_model = pair->model_source();
  if (reference_file.empty()) return;
  std::string problem;
  if (comm->me == 0) {
    try {
      reference = std::make_unique<E3D::ReferenceMap>(
          reference_file,
          E3D::MapSettings{map->width(), one_line(cutoff_text()), pair->model_source(),
                           strcmp(update->unit_style, "real") == 0});
    } catch (const std::runtime_error &e) {
      problem = e.what();
    }
  }
  problem = E3D::first_message(world, problem);
  if (!problem.empty()) error->all(FLERR, "{}: {}", name, problem);
  reference_text = E3D::first_message(world, reference ? reference->size_text() : std::string());
  if (!reference) return;

  if (!reference->names_model())
    error->warning(FLERR,
                   "{}: reference {}, or the model of the run, does not say which checkpoint it comes from: "
                   "the share of unvisited bins means something for one and the same model only",
                   name, reference_file);
  std::string unknown;
  for (const auto &label : map->labels())
    if (!reference->knows(label.name)) unknown += " " + label.name;
  if (!unknown.empty())
    error->warning(FLERR, "{}: reference {} has no map of{}: all their bonds count as unvisited", name,
                   reference_file, unknown);
}

/* ---------------------------------------------------------------------- */

int FixE3DMap::setmask()
{
  return END_OF_STEP;
}

/* ---------------------------------------------------------------------- */

void FixE3DMap::init()
{
  pair = PairE3D::find(lmp, name);
  const E3D::PairLabels &labels = pair->pair_labels();
  std::vector<std::string> now;
  for (int k = 0; k < labels.size(); k++) now.push_back(labels.name(k));
  if (now != pair_names)
    error->all(FLERR,
               "{}: pair_coeff has changed the elements of the atom types; 'unfix {}' and define it again",
               name, id);
  if (pair->model_source() != reference_model) read_reference();    // after another pair_coeff
  subscription = pair->subscribe_bonds(E3D::bond_cutoffs(lmp, name, *pair, cutoff_words));

  if (next_sample < update->ntimestep) {    // a minimization went by
    taken = 0;
    next_sample = next_valid();
  }
}

/* ----------------------------------------------------------------------
   the first step of a run has no end_of_step
------------------------------------------------------------------------- */

void FixE3DMap::setup(int /*vflag*/)
{
  end_of_step();
}

/* ----------------------------------------------------------------------
   the steps of fix ave/histo: Nrepeat samples, Nevery steps apart, the last one on a multiple of Nfreq
------------------------------------------------------------------------- */

bigint FixE3DMap::next_valid() const
{
  bigint next = (update->ntimestep / nfreq) * nfreq + nfreq;
  if (next - nfreq == update->ntimestep && nrepeat == 1) return update->ntimestep;
  next -= (nrepeat - 1) * nevery;
  return next < update->ntimestep ? next + nfreq : next;
}

void FixE3DMap::end_of_step()
{
  // only rerun can do either: its steps are those of the dump
  if (update->ntimestep < newest_step || update->ntimestep > next_sample)
    error->all(
        FLERR,
        "{}: step {} comes after step {}, and the next sample is due at step {}: for a rerun, "
        "'unfix', then 'reset_timestep' to the dump's first step, and define the fix again with Nevery "
        "a multiple of the dump's interval",
        name, update->ntimestep, newest_step, next_sample);
  newest_step = update->ntimestep;
  if (update->ntimestep != next_sample) return;
  if (taken == 0 && !running) {
    bring_to_host();
    map->clear();
    samples = 0;
  }
  sample();
  if (++taken < nrepeat) {
    next_sample += nevery;
    return;
  }
  taken = 0;
  next_sample = update->ntimestep + nfreq - (nrepeat - 1) * nevery;

  reduce();
  if (comm->me == 0) {
    fill_table();
    write_map();
  }
  MPI_Bcast(table.data(), static_cast<int>(table.size()), MPI_DOUBLE, 0, world);
  MPI_Bcast(&unvisited_share, 1, MPI_DOUBLE, 0, world);
}

/* ----------------------------------------------------------------------
   take in this rank's pairs of this step
------------------------------------------------------------------------- */

void FixE3DMap::sample()
{
  add_pairs();
  if (samples == 0) first_step = update->ntimestep;
  last_step = update->ntimestep;
  samples++;
}

/* ---------------------------------------------------------------------- */

void FixE3DMap::add_pairs()
{
  add(pair->bonded_edges(subscription, name));
}

/* ---------------------------------------------------------------------- */

void FixE3DMap::add(const E3D::BondedEdges &bonds)
{
  const int *mask = atom->mask;
  for (const auto &bond : bonds.pairs()) {
    const int row = row_of_label[bond.label];
    if (row == E3D::PairLabels::NONE) continue;
    if (!(mask[bond.first] & groupbit) || !(mask[bond.second] & groupbit)) continue;
    if (!map->add(row, bond.D(), bond.A())) refuse(row, bond.D(), bond.A(), bond.first, bond.second);
  }
}

/* ---------------------------------------------------------------------- */

void FixE3DMap::refuse(int row, double D, double A, int first, int second) const
{
  E3D::error_one(
      lmp, FLERR,
      "{} on step {}: D = {} and A = {} of the pair {} of atoms {} and {} are not finite, or too large "
      "for bins of {}; has the simulation blown up?",
      name, update->ntimestep, D, A, map->labels()[row].name, atom->tag[first], atom->tag[second],
      map->width());
}

/* ----------------------------------------------------------------------
   bring all parts of the map to rank 0, which keeps them; the others begin anew
   binomial tree: in round k the ranks that are odd multiples of 2^k hand theirs to the rank 2^k before
------------------------------------------------------------------------- */

void FixE3DMap::reduce()
{
  bring_to_host();
  std::vector<int64_t> words;
  for (int distance = 1; distance < comm->nprocs; distance *= 2) {
    if (comm->me & distance) {
      words = map->pack();
      if (words.size() > INT_MAX)
        E3D::error_one(lmp, FLERR, "{}: a map of {} words is larger than one message; use wider bins", name,
                       words.size());
      int size = static_cast<int>(words.size());
      MPI_Send(&size, 1, MPI_INT, comm->me - distance, 0, world);
      MPI_Send(words.data(), size, MPI_LMP_BIGINT, comm->me - distance, 0, world);
      map->clear();
      return;
    }
    if (comm->me + distance >= comm->nprocs) continue;
    int size;
    MPI_Recv(&size, 1, MPI_INT, comm->me + distance, 0, world, MPI_STATUS_IGNORE);
    words.resize(size);
    MPI_Recv(words.data(), size, MPI_LMP_BIGINT, comm->me + distance, 0, world, MPI_STATUS_IGNORE);
    map->merge(words);
  }
}

/* ---------------------------------------------------------------------- */

static double share_of(int64_t halves, int64_t pairs)
{
  return pairs ? static_cast<double>(halves) / (2.0 * static_cast<double>(pairs)) : 0.0;
}

void FixE3DMap::fill_table()
{
  double *row = table.data();
  int64_t unvisited = 0, pairs = 0;    // unvisited: in halves of a pair
  for (const auto &label : map->labels()) {
    const int64_t halves = reference ? reference->unvisited_halves(label) : 0;
    row[UNVISITED] = share_of(halves, label.count);
    unvisited += halves;
    pairs += label.count;
    row[COUNT] = static_cast<double>(label.count);
    row[MEAN_D] = label.mean_D();
    row[STD_D] = label.std_D();
    row[MEAN_ABS_A] = label.mean_absA();
    row[STD_A] = label.std_A();
    row[ENTROPY] = label.entropy();
    row += NUM_COLUMNS;
  }
  unvisited_share = share_of(unvisited, pairs);
}

/* ----------------------------------------------------------------------
   share of the bonds of the last output in bins that the reference never visited
------------------------------------------------------------------------- */

double FixE3DMap::compute_scalar()
{
  return unvisited_share;
}

/* ---------------------------------------------------------------------- */

double FixE3DMap::compute_array(int row, int column)
{
  return table[static_cast<std::size_t>(row) * NUM_COLUMNS + column];
}

/* ----------------------------------------------------------------------
   the whole file or nothing: written under another name, then renamed
------------------------------------------------------------------------- */

void FixE3DMap::write_map() const
{
  const std::string target = utils::star_subst(file, update->ntimestep, 0);
  const std::string problem = E3D::write_whole_file(target, header() + map->text() + "end\n");
  if (!problem.empty())
    E3D::error_one(lmp, FLERR, "{} on step {}: cannot write the map file {}: {}", name, update->ntimestep,
                   target, problem);
}

/* ---------------------------------------------------------------------- */

std::string FixE3DMap::cutoff_text() const
{
  const std::string &word = cutoff_words[0];    // a number as Python has it, so that maps can be added
  return utils::is_double(word) ? E3D::real_text(utils::numeric(FLERR, word, false, lmp))
                                : utils::join_words(cutoff_words, " ");
}

std::string FixE3DMap::header() const
{
  std::string types;
  for (int t = 1; t <= atom->ntypes; t++) {
    const std::string &element = pair->pair_labels().element(t);
    types += " " + (element.empty() ? "NULL" : element);
  }
  const bool is_real = strcmp(update->unit_style, "real") == 0;
  return fmt::format("{}\nbin {}\ncutoff {}\nsamples {}\nsteps {} {}\n", MAP_FORMAT,
                     E3D::real_text(map->width()), one_line(cutoff_text()), samples, first_step, last_step) +
      fmt::format("provenance e3d {}\nprovenance lammps {}\nprovenance model {}\nprovenance types{}\n"
                  "provenance units {}\nprovenance energy_unit {}\nprovenance group {}\n"
                  "provenance sampling {} {} {} ave {}\nprovenance model_source {}\n",
                  E3D_VERSION, lmp->version, one_line(pair->model_path()), types, update->unit_style,
                  is_real ? "kcal/mol" : "eV", one_line(group->names[igroup]), nevery, nrepeat, nfreq,
                  running ? "running" : "one", one_line(pair->model_source()));
}

/* ---------------------------------------------------------------------- */

double FixE3DMap::memory_usage()
{
  return map->memory_usage() + (reference ? reference->memory_usage() : 0.0) +
      static_cast<double>(table.capacity()) * sizeof(double);
}
