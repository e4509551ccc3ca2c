/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "fix_e3d_hnemd.h"

#include "atom_heat.h"
#include "datamasks.h"
#include "error_one.h"
#include "pair_e3d.h"
#include "support/restart_state.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "force.h"
#include "group.h"
#include "modify.h"
#include "update.h"
#include "utils.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

using namespace LAMMPS_NS;
using namespace FixConst;

// W/m/K of one eV/(ps Angstrom K) and of one kcal/mol/(fs Angstrom K)
static constexpr double WATT_METAL = 1.602176634e-19 / (1e-12 * 1e-10);
static constexpr double WATT_REAL = 4184.0 / 6.02214076e23 / (1e-15 * 1e-10);

// kinetic energy of the common drift, in mean kinetic energies of an atom, from which on it is reported
static constexpr double DRIFTING = 1e-3;

static constexpr const char *STATE_FORMAT = "e3d-hnemd-state/2";

/* ----------------------------------------------------------------------
   fix ID group e3d/hnemd Fx Fy Fz
------------------------------------------------------------------------- */

FixE3DHnemd::FixE3DHnemd(LAMMPS *lmp, int narg, char **arg) :
    Fix(lmp, narg, arg), name("fix " + std::string(arg[0]) + " e3d/hnemd")
{
  if (narg != 6)
    error->all(FLERR, "{} takes three numbers, the driving force Fx Fy Fz in 1/Angstrom, but {} words follow",
               name, narg - 3);
  for (int d = 0; d < 3; d++) drive[d] = utils::numeric(FLERR, arg[3 + d], false, lmp);
  magnitude = std::sqrt(drive[0] * drive[0] + drive[1] * drive[1] + drive[2] * drive[2]);
  if (magnitude == 0.0)
    error->all(FLERR, "{}: the driving force is 0; typical is 1e-5 (crystals) to 1e-2 (liquids) per Angstrom",
               name);

  vector_flag = 1;
  size_vector = NUM_ENTRIES;
  extvector = 0;
  global_freq = 1;
  nevery = 1;
  restart_global = 1;
  time_depend = 0;
  dynamic_group_allow = 1;
  comm_reverse = 9;
  datamask_read = X_MASK | V_MASK | F_MASK | TYPE_MASK | MASK_MASK | RMASS_MASK;
  datamask_modify = F_MASK;
}

/* ---------------------------------------------------------------------- */

int FixE3DHnemd::setmask()
{
  return POST_FORCE | END_OF_STEP;
}

/* ---------------------------------------------------------------------- */

void FixE3DHnemd::init()
{
  pair = PairE3D::find(lmp, name);
  if (reads_frame()) pair->subscribe_edge_forces();
  if (utils::strmatch(update->integrate_style, "^respa"))
    error->all(FLERR, "{} does not work with run_style respa; use 'run_style verlet'", name);
  watt_per_m_k = strcmp(update->unit_style, "real") == 0 ? WATT_REAL : WATT_METAL;
  check_thermostats();
  for (int d = 0; d < 3; d++)
    if (drive[d] != 0.0 && !domain->periodicity[d] && comm->me == 0)
      error->warning(FLERR,
                     "{}: the boundary along {} is not periodic: heat piles up there, and the conductivity "
                     "comes out too low; drive along a periodic direction",
                     name, "xyz"[d]);
}

/* ----------------------------------------------------------------------
   friction and noise on single atoms carry heat and momentum away by a way that J does not know
------------------------------------------------------------------------- */

void FixE3DHnemd::check_thermostats()
{
  if (thermostat_reported) return;
  static const std::vector<std::string> patterns = {"langevin", "^brownian", "^gle", "^gld", "^temp/csld",
                                                    "^dpd",     "^viscous",  "^ttm", "^ffl", "^qtb"};
  for (const auto &other : modify->get_fix_list())
    if (std::any_of(patterns.begin(), patterns.end(),
                    [other](const std::string &pattern) { return utils::strmatch(other->style, pattern); })) {
      thermostat_reported = true;
      if (comm->me == 0)
        error->warning(FLERR,
                       "{}: fix {} {} acts on single atoms: it scatters phonons and makes the "
                       "conductivity too low; use a global thermostat (fix nvt, fix temp/csvr)",
                       name, other->id, other->style);
    }
}

/* ---------------------------------------------------------------------- */

void FixE3DHnemd::setup(int vflag)
{
  check_momentum();
  post_force(vflag);
}

/* ----------------------------------------------------------------------
   a drift of all atoms carries their energy along: J gets a part that no temperature difference drives.
   Velocities drawn at random have about the drift energy of one atom; those that 'mom yes' drew have none.
   The momentum of a part of the atoms is not conserved and says nothing.
------------------------------------------------------------------------- */

void FixE3DHnemd::check_momentum()
{
  const bigint count = group->count(igroup);
  if (momentum_reported || count < 2 || count != atom->natoms) return;
  const double mass = group->mass(igroup), kinetic = group->ke(igroup);
  double drift[3];
  group->vcm(igroup, mass, drift);
  const double energy_of_drift =
      0.5 * force->mvv2e * mass * (drift[0] * drift[0] + drift[1] * drift[1] + drift[2] * drift[2]);
  if (energy_of_drift <= DRIFTING * kinetic / static_cast<double>(count)) return;
  momentum_reported = true;
  if (comm->me == 0)
    error->warning(
        FLERR,
        "{}: the atoms drift with ({:.3g} {:.3g} {:.3g}): J holds the energy that they carry along; "
        "type 'velocity {} zero linear'",
        name, drift[0], drift[1], drift[2], group->names[igroup]);
}

/* ----------------------------------------------------------------------
   U_i and the virial W_i = -sum_c r_ci (x) g_ci of owned atoms (ARCHITECTURE section 1)
------------------------------------------------------------------------- */

void FixE3DHnemd::gather_virials()
{
  const E3D::EdgeFrame &frame = pair->edge_frame_with_forces(name);
  energy.assign(atom->nlocal, 0.0);
  for (std::size_t k = 0; k < frame.rows(); k++) energy[frame.centre[k]] = frame.energy[k];
  virial.assign(9 * static_cast<std::size_t>(atom->nlocal + atom->nghost), 0.0);
  E3D::for_each_edge_force(frame, atom->x, [this](int j, const double *r, const double *g) {
    double *w = &virial[9 * static_cast<std::size_t>(j)];
    for (int a = 0; a < 3; a++)
      for (int b = 0; b < 3; b++) w[3 * a + b] -= r[a] * g[b];
  });
  comm->reverse_comm(this);
}

/* ---------------------------------------------------------------------- */

int FixE3DHnemd::pack_reverse_comm(int n, int first, double *buf)
{
  std::copy_n(&virial[9 * static_cast<std::size_t>(first)], 9 * n, buf);
  return 9 * n;
}

/* ---------------------------------------------------------------------- */

void FixE3DHnemd::unpack_reverse_comm(int n, int *list, double *buf)
{
  for (int k = 0; k < n; k++)
    for (int d = 0; d < 9; d++) virial[9 * static_cast<std::size_t>(list[k]) + d] += buf[9 * k + d];
}

/* ----------------------------------------------------------------------
   F^e_ib = (U_i + K_i) F_b + sum_a F_a W_i,ab, less (m_i/M) sum_k F^e_k: with it sum_i F^e_i.v_i = F.J at
   zero total momentum (Fan et al., Phys. Rev. B 99, 064308, 2019)
------------------------------------------------------------------------- */

void FixE3DHnemd::post_force(int /*vflag*/)
{
  gather_virials();

  double mine[4] = {0.0, 0.0, 0.0, 0.0}, all[4];
  add_driving_forces(mine);
  MPI_Allreduce(mine, all, 4, MPI_DOUBLE, MPI_SUM, world);
  if (all[3] <= 0.0) error->all(FLERR, "{}: there are no atoms in group {}", name, group->names[igroup]);
  take_off({all[0] / all[3], all[1] / all[3], all[2] / all[3]});
}

/* ---------------------------------------------------------------------- */

void FixE3DHnemd::add_driving_forces(double (&sum)[4])
{
  double **f = atom->f;
  for (int i = 0; i < atom->nlocal; i++) {
    if (!(atom->mask[i] & groupbit)) continue;
    const double *w = &virial[9 * static_cast<std::size_t>(i)];
    const double total = energy[i] + E3D::kinetic_energy(atom, force, i, atom->v[i]);
    for (int b = 0; b < 3; b++) {
      const double added = total * drive[b] + drive[0] * w[b] + drive[1] * w[3 + b] + drive[2] * w[6 + b];
      f[i][b] += added;
      sum[b] += added;
    }
    sum[3] += E3D::mass_of(atom, i);
  }
}

/* ---------------------------------------------------------------------- */

void FixE3DHnemd::take_off(const double (&per_mass)[3])
{
  for (int i = 0; i < atom->nlocal; i++)
    if (atom->mask[i] & groupbit)
      for (int b = 0; b < 3; b++) atom->f[i][b] -= E3D::mass_of(atom, i) * per_mass[b];
}

/* ----------------------------------------------------------------------
   J of the group with the velocities of the end of the step
------------------------------------------------------------------------- */

void FixE3DHnemd::end_of_step()
{
  pair->require_frame(name);    // stops where atoms have come or gone since post_force
  double mine[5] = {0.0, 0.0, 0.0, 0.0, 0.0}, all[5];
  add_current(mine);
  MPI_Allreduce(mine, all, 5, MPI_DOUBLE, MPI_SUM, world);

  const double volume = domain->xprd * domain->yprd * domain->zprd;
  for (int a = 0; a < 3; a++) {
    current[a] = all[a];
    sum_flux[a] += all[a] / volume;
  }
  if (all[4] > 1.5) sum_temperature += 2.0 * all[3] / (3.0 * (all[4] - 1.0) * force->boltz);
  samples++;
}

/* ---------------------------------------------------------------------- */

void FixE3DHnemd::add_current(double (&sums)[5])
{
  for (int i = 0; i < atom->nlocal; i++) {
    if (!(atom->mask[i] & groupbit)) continue;
    const double *v = atom->v[i];
    const double *w = &virial[9 * static_cast<std::size_t>(i)];
    const double kinetic = E3D::kinetic_energy(atom, force, i, atom->v[i]);
    for (int a = 0; a < 3; a++)
      sums[a] += (energy[i] + kinetic) * v[a] + w[3 * a] * v[0] + w[3 * a + 1] * v[1] + w[3 * a + 2] * v[2];
    sums[3] += kinetic;
    sums[4] += 1.0;
  }
}

/* ----------------------------------------------------------------------
   1-3: running <J>/(V <T> |F|), W/m/K; 4-6: J of this step; 7: mean temperature; 8: samples
------------------------------------------------------------------------- */

double FixE3DHnemd::compute_vector(int k)
{
  if (k == SAMPLES) return static_cast<double>(samples);
  if (samples == 0) return 0.0;
  if (k == TEMPERATURE) return sum_temperature / static_cast<double>(samples);
  if (k >= CURRENT) return current[k - CURRENT];
  return sum_temperature > 0.0 ? watt_per_m_k * sum_flux[k - KAPPA] / (sum_temperature * magnitude) : 0.0;
}

/* ----------------------------------------------------------------------
   running sums; the group and the driving force say whether they may go on
------------------------------------------------------------------------- */

void FixE3DHnemd::write_restart(FILE *fp)
{
  if (comm->me != 0) return;
  E3D::RestartWriter state;
  state.put(STATE_FORMAT);
  state.put(group->names[igroup]);
  state.put(std::vector<double>(drive, drive + 3));
  state.put(samples);
  state.put(std::vector<double>{sum_flux[0], sum_flux[1], sum_flux[2], sum_temperature, current[0],
                                current[1], current[2]});
  if (!state.write(fp)) E3D::error_one(lmp, FLERR, "{}: its state is larger than a restart file holds", name);
}

/* ---------------------------------------------------------------------- */

void FixE3DHnemd::restart(char *buf)
{
  std::string problem;
  try {
    E3D::RestartReader state(buf);
    if (state.text() != STATE_FORMAT) throw std::runtime_error("it is of another version of e3d");
    if (state.text() != group->names[igroup]) throw std::runtime_error("it is of another group");
    const auto force_before = state.list<double>();
    if (!std::equal(drive, drive + 3, force_before.begin(), force_before.end()))
      throw std::runtime_error("it is of another driving force");
    const bigint number = state.number();
    const auto sums = state.list<double>();
    if (sums.size() != 7) throw std::runtime_error("it is of another version of e3d");
    samples = number;
    std::copy_n(sums.begin(), 3, sum_flux);
    sum_temperature = sums[3];
    std::copy_n(sums.begin() + 4, 3, current);
  } catch (const std::exception &e) {
    problem = e.what();
  }
  if (!problem.empty() && comm->me == 0)
    error->warning(FLERR, "{} begins a new average and does not go on with the one in the restart file: {}",
                   name, problem);
}

/* ---------------------------------------------------------------------- */

double FixE3DHnemd::memory_usage()
{
  return static_cast<double>(energy.capacity() + virial.capacity()) * sizeof(double);
}
