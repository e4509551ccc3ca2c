/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "fix_e3d_record.h"

#include "bonds/bonded_edges.h"
#include "bonds/energy_map.h"
#include "bonds/recorded_rows.h"
#include "compute_arguments.h"
#include "datamasks.h"
#include "error_one.h"
#include "pair_e3d.h"
#include "support/first_message.h"
#include "support/node_layout.h"
#include "support/restart_state.h"
#include "support/whole_file.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "group.h"
#include "update.h"
#include "utils.h"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>

using namespace LAMMPS_NS;
using namespace FixConst;

static constexpr const char *RECORD_FORMAT = "e3d-record/1";
static constexpr const char *STATE_FORMAT = "fix e3d/record state 1";
static constexpr int64_t MEGABYTE = 1000000;
static constexpr int64_t DEFAULT_SHARD = 1000 * MEGABYTE;
static constexpr std::size_t BLOCK_ROWS = 4096;    // of one message or write: they stay in a core's cache

/* ----------------------------------------------------------------------
   this rank's rows on their way to its writer, block by block; a block that is not full is the last one
------------------------------------------------------------------------- */

class FixE3DRecord::RowSink {
 public:
  RowSink(FixE3DRecord &fix, std::vector<char> &block) : fix_(fix), block_(block) {}

  template <typename Row> Row &next()
  {
    if (used_ == block_.size()) flush();
    auto *row = reinterpret_cast<Row *>(&block_[used_]);
    used_ += sizeof(Row);
    return *row;
  }

  void finish()
  {
    if (used_ == block_.size()) flush();
    flush();
  }

 private:
  FixE3DRecord &fix_;
  std::vector<char> &block_;
  std::size_t used_ = 0;

  void flush()
  {
    if (fix_.is_writer)
      fix_.write_rows(block_.data(), used_);
    else
      MPI_Send(block_.data(), static_cast<int>(used_), MPI_BYTE, 0, 0, fix_.group_ranks);
    used_ = 0;
  }
};

/* ----------------------------------------------------------------------
   fix ID group e3d/record Nevery base [rows edges|bonds] [cutoff C] [fraction p] [writers N|node] [shard MB]
------------------------------------------------------------------------- */

FixE3DRecord::FixE3DRecord(LAMMPS *lmp, int narg, char **arg) :
    Fix(lmp, narg, arg), name("fix " + std::string(arg[0]) + " e3d/record"), shard_bytes(DEFAULT_SHARD)
{
  parse(narg, arg);
  pair = PairE3D::find(lmp, name);

  restart_global = 1;
  time_depend = 1;    // reset_timestep would put the frames out of order
  dynamic_group_allow = 1;
  datamask_read = X_MASK | TAG_MASK | TYPE_MASK | MASK_MASK;
  datamask_modify = EMPTY_MASK;

  vector_flag = 1;
  size_vector = 4;
  extvector = 0;
  global_freq = 1;

  if (is_bonds)
    layout = {"bonds", E3D::RECORDED_BOND_DTYPE, sizeof(E3D::RecordedBond)};
  else
    layout = {"edges", E3D::RECORDED_EDGE_DTYPE, sizeof(E3D::RecordedEdge)};
  block.resize(BLOCK_ROWS * layout.size);

  group_ranks = E3D::rank_group(world, writers_wanted);
  int rank;
  MPI_Comm_rank(group_ranks, &rank);
  is_writer = rank == 0;
  int mine = is_writer ? 1 : 0;    // LAMMPS's MPI stubs take no const
  MPI_Scan(&mine, &writer, 1, MPI_INT, MPI_SUM, world);
  MPI_Allreduce(&mine, &num_writers, 1, MPI_INT, MPI_SUM, world);
}

/* ---------------------------------------------------------------------- */

FixE3DRecord::~FixE3DRecord()
{
  if (group_ranks != MPI_COMM_NULL) MPI_Comm_free(&group_ranks);
}

/* ---------------------------------------------------------------------- */

void FixE3DRecord::parse(int narg, char **arg)
{
  if (narg < 5) utils::missing_cmd_args(FLERR, name, error);
  nevery = utils::inumeric(FLERR, arg[3], false, lmp);
  if (nevery < 1) error->all(FLERR, "{}: Nevery must be a positive number of steps, not {}", name, nevery);
  base = arg[4];
  if (base.empty() || base.back() == '/')
    error->all(FLERR, "{}: the base must be a name that files begin with, as in 'run1/edges', not '{}'", name,
               base);

  for (int iarg = 5; iarg < narg;) {
    const std::string keyword = arg[iarg++];
    if (keyword != "rows" && keyword != "cutoff" && keyword != "fraction" && keyword != "writers" &&
        keyword != "shard")
      error->all(FLERR,
                 "{}: unknown keyword '{}'; it takes 'rows edges|bonds', 'cutoff C', 'fraction p', 'writers "
                 "N|node' and 'shard MB'",
                 name, keyword);
    if (iarg >= narg) utils::missing_cmd_args(FLERR, name + " " + keyword, error);
    if (keyword == "cutoff") {
      cutoff_words = E3D::parse_cutoff(lmp, name, narg, arg, iarg);
      continue;
    }
    const std::string value = arg[iarg++];
    if (keyword == "rows") {
      if (value != "edges" && value != "bonds")
        error->all(FLERR, "{}: rows must be edges or bonds, not '{}'", name, value);
      is_bonds = value == "bonds";
    } else if (keyword == "fraction") {
      fraction = utils::numeric(FLERR, value, false, lmp);
      if (!(fraction > 0.0 && fraction <= 1.0))
        error->all(FLERR, "{}: fraction must be above 0 and at most 1, not {}", name, value);
    } else if (keyword == "writers") {
      writers_wanted = value == "node" ? 0 : utils::inumeric(FLERR, value, false, lmp);
      if (value != "node" && (writers_wanted < 1 || writers_wanted > comm->nprocs))
        error->all(FLERR, "{}: writers must be 'node', or 1 to {}, the number of ranks, not {}", name,
                   comm->nprocs, value);
    } else {
      const double megabytes = utils::numeric(FLERR, value, false, lmp);
      if (!(megabytes > 0.0 && megabytes < 1e12))
        error->all(FLERR, "{}: shard must be a positive size in MB, not {}", name, value);
      shard_bytes = static_cast<int64_t>(megabytes * MEGABYTE);
    }
  }
  if (cutoff_words.empty()) cutoff_words = {is_bonds ? "covalent" : "model"};
}

/* ---------------------------------------------------------------------- */

int FixE3DRecord::setmask()
{
  return END_OF_STEP | POST_RUN;
}

/* ---------------------------------------------------------------------- */

void FixE3DRecord::init()
{
  pair = PairE3D::find(lmp, name);
  cutsq = E3D::bond_cutoffs(lmp, name, *pair, cutoff_words);
  if (is_bonds)
    subscription = pair->subscribe_bonds(cutsq);
  else
    pair->subscribe_edges(cutsq);

  std::string now = fmt::format("rows {} cutoff {} fraction {} group {} units {} model {} types", layout.kind,
                                utils::join_words(cutoff_words, " "), E3D::real_text(fraction),
                                group->names[igroup], update->unit_style, pair->model_source());
  for (int t = 1; t <= atom->ntypes; t++) {
    const std::string &element = pair->pair_labels().element(t);
    now += " " + (element.empty() ? "NULL" : element);
  }
  if (settings.empty()) {
    settings = now;
    begin();
  } else if (now != settings) {
    error->all(FLERR,
               "{}: '{}' was begun with other settings, '{}' instead of '{}': 'unfix {}', then define the "
               "fix again with another base",
               name, base, settings, now, id);
  }
}

/* ----------------------------------------------------------------------
   once, before the first frame; after read_restart the record goes on in new shards behind the frames of the restart
   file's step
------------------------------------------------------------------------- */

void FixE3DRecord::begin()
{
  if (restart_step >= 0 && restart_step != update->ntimestep)
    error->all(FLERR,
               "{}: its record stops at step {} of the restart file, and this run starts at step {}: remove "
               "'reset_timestep', or give the fix another ID and another base",
               name, restart_step, update->ntimestep);
  const std::string about_file = base + ".json";
  const bool goes_on = restart_step >= 0;
  if (goes_on && settings != old_settings)
    error->all(
        FLERR,
        "{}: the restarted run cannot go on with '{}': its settings were '{}', and are '{}'; give them "
        "again, or give the fix another ID and another base",
        name, base, old_settings, settings);

  std::string message;
  int part = 1;
  if (comm->me == 0) {
    try {
      if (goes_on)
        part = E3D::resume_record(base, layout, restart_step);
      else
        E3D::remove_record(base);
    } catch (const std::exception &e) {
      message = e.what();
    }
    if (message.empty() && !(goes_on && std::ifstream(about_file))) {
      const std::string problem = E3D::write_whole_file(about_file, about());
      if (!problem.empty()) message = fmt::format("cannot write {}: {}", about_file, problem);
    }
  }
  message = E3D::first_message(world, message);
  if (!message.empty()) error->all(FLERR, "{}: {}", name, message);
  MPI_Bcast(&part, 1, MPI_INT, 0, world);
  if (is_writer)
    shards = std::make_unique<E3D::RecordShards>(base, part, writer, num_writers, layout, shard_bytes);
}

/* ---------------------------------------------------------------------- */

std::string FixE3DRecord::about() const
{
  std::string elements;
  for (int t = 1; t <= atom->ntypes; t++)
    elements += (t > 1 ? ", " : "") + E3D::json_text(pair->pair_labels().element(t));
  const bool is_real = strcmp(update->unit_style, "real") == 0;
  const std::vector<std::pair<const char *, std::string>> texts = {
      {"format", RECORD_FORMAT},
      {"rows", layout.kind},
      {"cutoff", utils::join_words(cutoff_words, " ")},
      {"group", group->names[igroup]},
      {"units", update->unit_style},
      {"energy_unit", is_real ? "kcal/mol" : "eV"},
      {"model", pair->model_path()},
      {"model_source", pair->model_source()},
      {"e3d", E3D_VERSION},
      {"lammps", lmp->version}};
  std::string text = "{\n";
  for (const auto &item : texts)
    text += fmt::format(" \"{}\": {},\n", item.first, E3D::json_text(item.second));
  return text +
      fmt::format(" \"elements\": [{}],\n \"fraction\": {},\n \"every\": {}\n}}\n", elements,
                  E3D::real_text(fraction), nevery);
}

/* ----------------------------------------------------------------------
   the first step of a run has no end_of_step; as for a dump it counts where it is a multiple of Nevery
------------------------------------------------------------------------- */

void FixE3DRecord::setup(int /*vflag*/)
{
  if (update->ntimestep % nevery == 0) end_of_step();
}

void FixE3DRecord::end_of_step()
{
  if (update->ntimestep == last_step) return;    // the end of the run before, or of the restart file
  if (update->ntimestep < last_step)
    error->all(FLERR,
               "{}: step {} comes after step {}: for a rerun, 'unfix', and define the fix again with another "
               "base",
               name, update->ntimestep, last_step);
  record();
  last_step = update->ntimestep;
  num_frames++;
}

/* ----------------------------------------------------------------------
   every rank hands its rows to the writer of its group, rank by rank; nothing else is sent
------------------------------------------------------------------------- */

void FixE3DRecord::record()
{
  if (is_bonds)
    pair->bonded_edges(subscription, name);    // collective
  else
    pair->edge_frame(name);

  const double t0 = platform::walltime();
  try {
    if (is_writer) shards->begin_frame();
    RowSink sink(*this, block);
    if (is_bonds)
      put_bonds(sink);
    else
      put_edges(sink);
    sink.finish();

    if (is_writer) {
      int ranks;
      MPI_Comm_size(group_ranks, &ranks);
      for (int rank = 1; rank < ranks; rank++) {
        int bytes;
        do {
          MPI_Status status;
          MPI_Recv(block.data(), static_cast<int>(block.size()), MPI_BYTE, rank, 0, group_ranks, &status);
          MPI_Get_count(&status, MPI_BYTE, &bytes);
          write_rows(block.data(), static_cast<std::size_t>(bytes));
        } while (static_cast<std::size_t>(bytes) == block.size());
      }
      E3D::RecordedFrame frame{};
      frame.step = update->ntimestep;
      const Domain &box = *domain;
      const double cell[3][3] = {
          {box.boxhi[0] - box.boxlo[0], 0.0, 0.0},
          {box.triclinic ? box.xy : 0.0, box.boxhi[1] - box.boxlo[1], 0.0},
          {box.triclinic ? box.xz : 0.0, box.triclinic ? box.yz : 0.0, box.boxhi[2] - box.boxlo[2]}};
      memcpy(frame.cell, cell, sizeof(cell));
      for (int k = 0; k < 3; k++) {
        frame.origin[k] = box.boxlo[k];
        frame.pbc[k] = box.periodicity[k];
      }
      shards->end_frame(frame);
    }
  } catch (const std::runtime_error &e) {
    E3D::error_one(
        lmp, FLERR,
        "{} on step {}: {}. Frames before this step are whole; make room, and go on from the newest "
        "restart file",
        name, update->ntimestep, e.what());
  }
  seconds += platform::walltime() - t0;
}

/* ---------------------------------------------------------------------- */

void FixE3DRecord::write_rows(const char *rows, std::size_t bytes)
{
  if (bytes) shards->append(rows, bytes);
}

/* ----------------------------------------------------------------------
   the directed edges whose centre is in the group, as compute e3d/edge/local has them
------------------------------------------------------------------------- */

void FixE3DRecord::put_edges(RowSink &sink)
{
  const E3D::EdgeFrame &frame = pair->edge_frame(name);
  const E3D::PairSample sample(fraction);
  const double *const *x = atom->x;
  const tagint *tag = atom->tag;
  const int *type = atom->type;
  const int *mask = atom->mask;
  const int width = atom->ntypes + 1;

  for (std::size_t k = 0; k < frame.rows(); k++) {
    const int i = frame.centre[k];
    if (!(mask[i] & groupbit)) continue;
    for (int64_t e = frame.offset[k]; e < frame.offset[k + 1]; e++) {
      const int j = frame.neighbour[e];
      const double dx = x[j][0] - x[i][0];
      const double dy = x[j][1] - x[i][1];
      const double dz = x[j][2] - x[i][2];
      if (dx * dx + dy * dy + dz * dz >= cutsq[type[i] * width + type[j]]) continue;
      if (!sample.has(tag[i], tag[j])) continue;
      sink.next<E3D::RecordedEdge>() = {tag[i], tag[j], type[i], type[j], {dx, dy, dz}, frame.eps[e]};
    }
  }
}

/* ----------------------------------------------------------------------
   the pairs with both atoms in the group, as compute e3d/pair/local has them
------------------------------------------------------------------------- */

void FixE3DRecord::put_bonds(RowSink &sink)
{
  const E3D::BondedEdges &bonds = pair->bonded_edges(subscription, name);
  const E3D::PairSample sample(fraction);
  const double *const *x = atom->x;
  const tagint *tag = atom->tag;
  const int *type = atom->type;
  const int *mask = atom->mask;

  for (const auto &bond : bonds.pairs()) {
    const int i = bond.first, j = bond.second;
    if (!(mask[i] & groupbit) || !(mask[j] & groupbit) || !sample.has(tag[i], tag[j])) continue;
    sink.next<E3D::RecordedBond>() = {
        tag[i],   tag[j],  type[i], type[j], {x[j][0] - x[i][0], x[j][1] - x[i][1], x[j][2] - x[i][2]},
        bond.e12, bond.e21};
  }
}

/* ----------------------------------------------------------------------
   rows, bytes and files of all writers, seconds of the slowest rank
------------------------------------------------------------------------- */

std::vector<double> FixE3DRecord::totals() const
{
  double mine[3] = {0.0, 0.0, 0.0}, own = seconds, all[3], slowest;
  if (shards) {
    mine[0] = static_cast<double>(shards->rows());
    mine[1] = static_cast<double>(shards->bytes());
    mine[2] = static_cast<double>(shards->files());
  }
  MPI_Allreduce(mine, all, 3, MPI_DOUBLE, MPI_SUM, world);
  MPI_Allreduce(&own, &slowest, 1, MPI_DOUBLE, MPI_MAX, world);
  return {all[0], all[1], all[2], slowest};
}

void FixE3DRecord::post_run()
{
  const std::vector<double> all = totals();
  if (comm->me == 0 && num_frames > reported_frames)
    utils::logmesg(lmp,
                   "{}: {} frames, {:.0f} {}, {:.1f} MB in {:.0f} shards of {} writers, {:.3g} s so far "
                   "({:.2f} GB/s)\n",
                   name, num_frames, all[0], layout.kind, all[1] / MEGABYTE, all[2], num_writers, all[3],
                   all[1] / 1e9 / std::max(all[3], 1e-9));
  reported_frames = num_frames;
}

/* ----------------------------------------------------------------------
   of this run: frames, rows, bytes of rows, seconds; collective
------------------------------------------------------------------------- */

double FixE3DRecord::compute_vector(int n)
{
  if (n == 0) return static_cast<double>(num_frames);
  const std::vector<double> all = totals();
  return n == 3 ? all[3] : all[n - 1];
}

/* ---------------------------------------------------------------------- */

void FixE3DRecord::write_restart(FILE *fp)
{
  if (comm->me != 0) return;
  E3D::RestartWriter state;
  state.put(STATE_FORMAT);
  state.put(settings);
  for (const bigint number : {update->ntimestep, last_step}) state.put(number);
  if (!state.write(fp)) E3D::error_one(lmp, FLERR, "{}: its state is larger than a restart file holds", name);
}

/* ---------------------------------------------------------------------- */

void FixE3DRecord::restart(char *buf)
{
  std::string problem;
  try {
    E3D::RestartReader state(buf);
    if (state.text() != STATE_FORMAT) throw std::runtime_error("it is of another version of e3d");
    old_settings = state.text();
    restart_step = state.number();
    last_step = state.number();
  } catch (const std::runtime_error &e) {
    problem = e.what();
  }
  if (!problem.empty()) error->all(FLERR, "{}: cannot go on from the restart file: {}", name, problem);
}

/* ---------------------------------------------------------------------- */

double FixE3DRecord::memory_usage()
{
  return static_cast<double>(block.capacity());
}
