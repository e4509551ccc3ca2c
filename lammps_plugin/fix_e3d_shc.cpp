/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "fix_e3d_shc.h"

#include "atom_heat.h"
#include "datamasks.h"
#include "error_one.h"
#include "fix_e3d_hnemd.h"
#include "pair_e3d.h"
#include "support/first_message.h"
#include "support/restart_state.h"
#include "support/whole_file.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "force.h"
#include "group.h"
#include "memory.h"
#include "modify.h"
#include "update.h"
#include "utils.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <stdexcept>

using namespace LAMMPS_NS;
using namespace FixConst;

static constexpr const char *FILE_FORMAT = "e3d-shc/1";
static constexpr const char *STATE_FORMAT = "e3d-shc-state/3";

/* ----------------------------------------------------------------------
   fix ID group e3d/shc Nevery Nlags Nfreq nx ny nz file F
------------------------------------------------------------------------- */

FixE3DShc::FixE3DShc(LAMMPS *lmp, int narg, char **arg) :
    Fix(lmp, narg, arg), name("fix " + std::string(arg[0]) + " e3d/shc")
{
  if (narg != 11 || strcmp(arg[9], "file") != 0)
    error->all(FLERR,
               "{} takes 'Nevery Nlags Nfreq nx ny nz file F', as in '{} all e3d/shc 2 250 100000 1 0 0 file "
               "shc.txt'",
               name, std::string("fix ") + id);
  nevery = utils::inumeric(FLERR, arg[3], false, lmp);
  num_lags = utils::inumeric(FLERR, arg[4], false, lmp);
  const bigint nfreq = utils::bnumeric(FLERR, arg[5], false, lmp);
  if (nevery < 1 || num_lags < 2 || nfreq < 1)
    error->all(FLERR, "{}: Nevery and Nfreq must be positive and Nlags at least 2, not {} {} {}", name,
               nevery, nfreq, num_lags);
  if (nfreq % nevery)
    error->all(FLERR, "{}: Nfreq, the steps of a block, must be a multiple of Nevery, unlike {} and {}", name,
               nfreq, nevery);
  block_samples = nfreq / nevery;
  double square = 0.0;
  for (int d = 0; d < 3; d++) {
    direction[d] = utils::numeric(FLERR, arg[6 + d], false, lmp);
    square += direction[d] * direction[d];
  }
  if (square == 0.0) error->all(FLERR, "{}: the direction is 0 0 0; give that of the driving force", name);
  for (double &n : direction) n /= std::sqrt(square);
  file = arg[10];
  num_rows = 2 * num_lags - 1;

  scalar_flag = 1;
  array_flag = 1;
  size_array_rows = num_rows;
  size_array_cols = 1 + NUM_PARTS;
  extscalar = extarray = 0;
  global_freq = 1;
  restart_global = 1;
  create_attribute = 1;    // new atoms have no history
  time_depend = 1;         // reset_timestep would tear the samples apart
  dynamic_group_allow = 1;
  comm_reverse = 3;
  datamask_read = X_MASK | V_MASK | TYPE_MASK | MASK_MASK | RMASS_MASK;
  datamask_modify = EMPTY_MASK;
  maxexchange = kept_doubles();
  sums.assign(static_cast<std::size_t>(NUM_PARTS) * num_rows, 0.0);
  by_slot.assign(static_cast<std::size_t>(2 * NUM_PARTS) * num_lags, 0.0);

  check_writable();

  FixE3DShc::grow_arrays(atom->nmax);
  atom->add_callback(Atom::GROW);
  if (comm->me == 0)
    utils::logmesg(lmp, "{}: {} bytes per atom\n", name, NUM_KEPT * num_lags * sizeof(float));
}

/* ---------------------------------------------------------------------- */

FixE3DShc::~FixE3DShc()
{
  atom->delete_callback(id, Atom::GROW);
}

/* ----------------------------------------------------------------------
   an error now, and not after the first block
------------------------------------------------------------------------- */

void FixE3DShc::check_writable() const
{
  const std::string problem =
      E3D::first_message(world, comm->me == 0 ? E3D::why_not_writable(file) : std::string());
  if (!problem.empty()) error->all(FLERR, "{}: cannot write the file {}: {}", name, file, problem);
}

/* ---------------------------------------------------------------------- */

int FixE3DShc::setmask()
{
  return END_OF_STEP;
}

/* ---------------------------------------------------------------------- */

void FixE3DShc::init()
{
  pair = PairE3D::find(lmp, name);
  pair->subscribe_edge_forces();
  std::fill_n(force_now, 3, 0.0);
  for (const auto &other : modify->get_fix_list())
    if (const auto *hnemd = dynamic_cast<const FixE3DHnemd *>(other))
      for (int d = 0; d < 3; d++) force_now[d] += hnemd->driving_force()[d];
}

/* ----------------------------------------------------------------------
   sum_a n_a W_i,ab of owned atoms
------------------------------------------------------------------------- */

void FixE3DShc::gather_virials()
{
  const E3D::EdgeFrame &frame = pair->edge_frame_with_forces(name);
  virial.assign(3 * static_cast<std::size_t>(atom->nlocal + atom->nghost), 0.0);
  E3D::for_each_edge_force(frame, atom->x, [this](int j, const double *r, const double *g) {
    const double along = direction[0] * r[0] + direction[1] * r[1] + direction[2] * r[2];
    double *w = &virial[3 * static_cast<std::size_t>(j)];
    for (int b = 0; b < 3; b++) w[b] -= along * g[b];
  });
  comm->reverse_comm(this);
}

/* ---------------------------------------------------------------------- */

int FixE3DShc::pack_reverse_comm(int n, int first, double *buf)
{
  std::copy_n(&virial[3 * static_cast<std::size_t>(first)], 3 * n, buf);
  return 3 * n;
}

/* ---------------------------------------------------------------------- */

void FixE3DShc::unpack_reverse_comm(int n, int *list, double *buf)
{
  for (int k = 0; k < n; k++)
    for (int d = 0; d < 3; d++) virial[3 * static_cast<std::size_t>(list[k]) + d] += buf[3 * k + d];
}

/* ----------------------------------------------------------------------
   forget the samples and the block that is not finished, and, if none is, how far apart they were
------------------------------------------------------------------------- */

void FixE3DShc::begin_anew()
{
  filled = taken = 0;
  if (num_blocks == 0) interval = 0.0;
  sum_kinetic = sum_volume = 0.0;
  std::fill(sums.begin(), sums.end(), 0.0);
}

/* ----------------------------------------------------------------------
   why the samples of the ring and those from now on are not of one block, empty if they are; collective
------------------------------------------------------------------------- */

std::string FixE3DShc::why_torn()
{
  int any_newcomers;
  MPI_Allreduce(&newcomers, &any_newcomers, 1, MPI_INT, MPI_MAX, world);
  newcomers = 0;
  if (filled == 0) return "";
  if (update->ntimestep != last_sample + nevery)
    return fmt::format("{} steps lie between its samples of steps {} and {}, not {}",
                       update->ntimestep - last_sample, last_sample, update->ntimestep, nevery);
  if (any_newcomers || atom->natoms != atoms_then)
    return fmt::format("atoms have come or gone between its samples of steps {} and {} ({} and {} of them)",
                       last_sample, update->ntimestep, atoms_then, atom->natoms);
  return "";
}

/* ---------------------------------------------------------------------- */

void FixE3DShc::end_of_step()
{
  const std::string reason = why_torn();
  if (!reason.empty()) {
    if (comm->me == 0) error->warning(FLERR, "{}: {}: it begins a new block", name, reason);
    begin_anew();
  }
  check_unchanged();
  last_sample = update->ntimestep;
  atoms_then = atom->natoms;
  sample();
  if (taken == block_samples) finish_block();
}

/* ----------------------------------------------------------------------
   all samples and blocks are of one distance in time and one driving force
------------------------------------------------------------------------- */

void FixE3DShc::check_unchanged()
{
  const double apart = nevery * update->dt;
  if (interval > 0.0 && std::fabs(apart - interval) > 1e-9 * interval)
    error->all(FLERR,
               "{}: its samples are {} apart in time, and now they would be {}: type 'timestep {}', or use a "
               "new fix ID and file",
               name, interval, apart, interval / nevery);
  if (interval > 0.0 && !std::equal(drive, drive + 3, force_now))
    error->all(
        FLERR,
        "{}: its samples are of the driving force {} {} {}, and that of fix e3d/hnemd is {} {} {} now: "
        "use a new fix ID and file",
        name, drive[0], drive[1], drive[2], force_now[0], force_now[1], force_now[2]);
  interval = apart;
  std::copy_n(force_now, 3, drive);
}

/* ----------------------------------------------------------------------
   K(t) = sum_i sum_b w_ib(0) v_ib(t) and sum_i e_i(0) n.v_i(t), with w_ib = sum_a n_a W_i,ab and e_i = U_i + K_i,
   for the lags to all samples of the ring (Fan et al., Phys. Rev. B 99, 064308, 2019, the first one)

   A block begins when the ring is full, so that every lag has as many samples. Sums go by slot first: rows
   of the ring are then read straight through.
------------------------------------------------------------------------- */

void FixE3DShc::sample()
{
  gather_virials();
  const E3D::EdgeFrame &frame = pair->edge_frame_with_forces(name);
  std::vector<double> energy(atom->nlocal, 0.0);
  for (std::size_t k = 0; k < frame.rows(); k++) energy[frame.centre[k]] = frame.energy[k];

  slot = (slot + 1) % num_lags;
  filled = std::min<bigint>(filled + 1, num_lags);
  const bool counts = filled == num_lags;
  std::fill(by_slot.begin(), by_slot.end(), 0.0);
  double *const later[NUM_PARTS] = {&by_slot[0], &by_slot[num_lags]};    // kept w and e, velocity of now
  double *const earlier[NUM_PARTS] = {&by_slot[2 * num_lags], &by_slot[3 * num_lags]};

  for (int i = 0; i < atom->nlocal; i++) {
    float *const kept = &ring[row_of(i)];
    const double *v = atom->v[i], *w = &virial[3 * static_cast<std::size_t>(i)];
    const bool inside = atom->mask[i] & groupbit;
    const double kinetic = inside ? E3D::kinetic_energy(atom, force, i, v) : 0.0;
    const double e = energy[i] + kinetic;
    const double values[NUM_KEPT] = {v[0], v[1], v[2], w[0], w[1], w[2], e};
    for (int k = 0; k < NUM_KEPT; k++)
      kept[k * num_lags + slot] = inside ? static_cast<float>(values[k]) : 0.0f;
    if (!counts || !inside) continue;

    sum_kinetic += kinetic;
    const float *const vx = kept + VX * num_lags, *const vy = kept + VY * num_lags,
                       *const vz = kept + VZ * num_lags;
    const float *const wx = kept + WX * num_lags, *const wy = kept + WY * num_lags,
                       *const wz = kept + WZ * num_lags;
    const float *const then = kept + ENERGY * num_lags;
    const double along = direction[0] * v[0] + direction[1] * v[1] + direction[2] * v[2];
    for (int s = 0; s < num_lags; s++) {
      later[POTENTIAL][s] += wx[s] * v[0] + wy[s] * v[1] + wz[s] * v[2];
      later[CONVECTIVE][s] += then[s] * along;
      earlier[POTENTIAL][s] += w[0] * vx[s] + w[1] * vy[s] + w[2] * vz[s];
      earlier[CONVECTIVE][s] += e * (direction[0] * vx[s] + direction[1] * vy[s] + direction[2] * vz[s]);
    }
    // this sample with itself, not rounded: lag 0 is the heat current
    later[POTENTIAL][slot] += (w[0] - wx[slot]) * v[0] + (w[1] - wy[slot]) * v[1] + (w[2] - wz[slot]) * v[2];
    later[CONVECTIVE][slot] += (e - then[slot]) * along;
  }
  if (!counts) return;

  if (taken == 0 && num_blocks == 0) first_step = update->ntimestep;
  taken++;
  sum_volume += domain->xprd * domain->yprd * domain->zprd;
  for (int lag = 0; lag < num_lags; lag++) {
    const int s = (slot - lag + num_lags) % num_lags;
    for (int part = 0; part < NUM_PARTS; part++) {
      double *const centre = &sums[static_cast<std::size_t>(part) * num_rows + num_lags - 1];
      centre[lag] += later[part][s];
      if (lag > 0) centre[-lag] += earlier[part][s];
    }
  }
}

/* ---------------------------------------------------------------------- */

void FixE3DShc::finish_block()
{
  const auto size = static_cast<int>(sums.size());
  std::vector<double> all(size);
  MPI_Allreduce(sums.data(), all.data(), size, MPI_DOUBLE, MPI_SUM, world);
  const double samples = static_cast<double>(block_samples);
  for (const double value : all) blocks.push_back(value / samples);
  num_blocks++;
  last_step = update->ntimestep;

  double kinetic;
  MPI_Allreduce(&sum_kinetic, &kinetic, 1, MPI_DOUBLE, MPI_SUM, world);
  const double freedom = std::max(3.0 * (static_cast<double>(group->count(igroup)) - 1.0), 1.0);
  const double temperature = 2.0 * kinetic / samples / (freedom * force->boltz);
  const double share = 1.0 / static_cast<double>(num_blocks);
  mean_temperature += share * (temperature - mean_temperature);
  mean_volume += share * (sum_volume / samples - mean_volume);

  sum_kinetic = sum_volume = 0.0;
  std::fill(sums.begin(), sums.end(), 0.0);
  taken = 0;
  if (comm->me == 0) write_file();
}

/* ---------------------------------------------------------------------- */

double FixE3DShc::mean_of(int part, int row) const
{
  double sum = 0.0;
  for (bigint block = 0; block < num_blocks; block++)
    sum += blocks[(block * NUM_PARTS + part) * num_rows + row];
  return num_blocks ? sum / static_cast<double>(num_blocks) : 0.0;
}

/* ----------------------------------------------------------------------
   the whole file or nothing: written under another name, then renamed
------------------------------------------------------------------------- */

void FixE3DShc::write_file() const
{
  std::string text = fmt::format(
      "# {}\n# units {}\n# interval {:.17g}\n# volume {:.17g}\n# temperature {:.17g}\n"
      "# direction {:.17g} {:.17g} {:.17g}\n# force {:.17g} {:.17g} {:.17g}\n"
      "# steps {} {}\n# samples {}\n# blocks {}\n"
      "# columns: lag, then potential and convective part of each block\n",
      FILE_FORMAT, update->unit_style, interval, mean_volume, mean_temperature, direction[0], direction[1],
      direction[2], drive[0], drive[1], drive[2], first_step, last_step, block_samples, num_blocks);
  for (int row = 0; row < num_rows; row++) {
    text += fmt::format("{:.10g}", (row - num_lags + 1) * interval);
    for (bigint column = 0; column < num_blocks * NUM_PARTS; column++)
      text += fmt::format(" {:.17g}", blocks[column * num_rows + row]);
    text += "\n";
  }

  const std::string problem = E3D::write_whole_file(file, text);
  if (!problem.empty())
    E3D::error_one(lmp, FLERR, "{} on step {}: cannot write the file {}: {}", name, update->ntimestep, file,
                   problem);
}

/* ---------------------------------------------------------------------- */

double FixE3DShc::compute_scalar()
{
  return static_cast<double>(num_blocks);
}

/* ----------------------------------------------------------------------
   lag, potential and convective part, means over all blocks
------------------------------------------------------------------------- */

double FixE3DShc::compute_array(int row, int column)
{
  return column == 0 ? (row - num_lags + 1) * nevery * update->dt : mean_of(column - 1, row);
}

/* ---------------------------------------------------------------------- */

double FixE3DShc::memory_usage()
{
  return static_cast<double>(ring.capacity()) * sizeof(float) +
      static_cast<double>(sums.capacity() + by_slot.capacity() + virial.capacity() + blocks.capacity()) *
      sizeof(double);
}

/* ----------------------------------------------------------------------
   samples travel with their atom
------------------------------------------------------------------------- */

void FixE3DShc::grow_arrays(int nmax)
{
  ring.resize(row_of(nmax), 0.0f);
}

void FixE3DShc::copy_arrays(int i, int j, int /*delflag*/)
{
  std::copy_n(&ring[row_of(i)], row_of(1), &ring[row_of(j)]);
}

void FixE3DShc::set_arrays(int i)
{
  std::fill_n(&ring[row_of(i)], row_of(1), 0.0f);
  newcomers = 1;
}

int FixE3DShc::pack_exchange(int i, double *buf)
{
  buf[kept_doubles() - 1] = 0.0;
  std::memcpy(buf, &ring[row_of(i)], row_of(1) * sizeof(float));
  return kept_doubles();
}

int FixE3DShc::unpack_exchange(int nlocal, double *buf)
{
  std::memcpy(&ring[row_of(nlocal)], buf, row_of(1) * sizeof(float));
  return kept_doubles();
}

/* ----------------------------------------------------------------------
   finished blocks; the samples of the one that is not finished are lost
------------------------------------------------------------------------- */

std::string FixE3DShc::settings() const
{
  return fmt::format("{} {} {} {} {} {} {}", nevery, num_lags, block_samples, direction[0], direction[1],
                     direction[2], group->names[igroup]);
}

/* ---------------------------------------------------------------------- */

void FixE3DShc::write_restart(FILE *fp)
{
  if (comm->me != 0) return;
  E3D::RestartWriter state;
  state.put(STATE_FORMAT);
  state.put(settings());
  for (const bigint number : {num_blocks, first_step, last_step}) state.put(number);
  state.put(std::vector<double>{mean_temperature, mean_volume, interval, drive[0], drive[1], drive[2]});
  state.put(blocks);
  if (!state.write(fp))
    E3D::error_one(lmp, FLERR, "{}: {} blocks are larger than a restart file holds; use a larger Nfreq", name,
                   num_blocks);
}

/* ---------------------------------------------------------------------- */

void FixE3DShc::restart(char *buf)
{
  std::string problem;
  try {
    E3D::RestartReader state(buf);
    if (state.text() != STATE_FORMAT) throw std::runtime_error("it is of another version of e3d");
    const std::string stored = state.text();
    if (stored != settings())
      throw std::runtime_error("it is of other settings, '" + stored + "' instead of '" + settings() + "'");
    const bigint number = state.number(), first = state.number(), last = state.number();
    const auto means = state.list<double>();
    auto values = state.list<double>();
    if (means.size() != 6 || values.size() != static_cast<std::size_t>(number * NUM_PARTS * num_rows))
      throw std::runtime_error("it does not hold the blocks that it says");
    num_blocks = number;
    first_step = first;
    last_step = last;
    mean_temperature = means[0];
    mean_volume = means[1];
    interval = number > 0 ? means[2] : 0.0;
    std::copy_n(means.begin() + 3, 3, drive);
    blocks = std::move(values);
  } catch (const std::exception &e) {
    problem = e.what();
  }
  if (!problem.empty() && comm->me == 0)
    error->warning(FLERR, "{} begins with no blocks and does not go on with those in the restart file: {}",
                   name, problem);
}
