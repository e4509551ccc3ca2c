/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

// the bonds of fix e3d/bonds on their way between ranks and through restart files

#include "fix_e3d_bonds.h"

#include "error_one.h"
#include "support/restart_state.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "update.h"

#include <algorithm>
#include <stdexcept>
#include <string>

using namespace LAMMPS_NS;

static const char *const STATE_FORMAT = "e3d-bonds-state/2";

/* ---------------------------------------------------------------------- */

void FixE3DBonds::grow_arrays(int nmax)
{
  bonds.resize(nmax);
}

void FixE3DBonds::copy_arrays(int i, int j, int /*delflag*/)
{
  bonds.copy(i, j);
}

void FixE3DBonds::set_arrays(int i)
{
  bonds.clear(i);
}

int FixE3DBonds::pack_exchange(int i, double *buf)
{
  return bonds.pack(i, buf);
}

int FixE3DBonds::unpack_exchange(int nlocal, double *buf)
{
  const int count = E3D::BondState::packed_doubles(buf);
  bonds.unpack(nlocal, buf, count);
  return count;
}

/* ----------------------------------------------------------------------
   restart file, per atom: number of doubles, then id and list
------------------------------------------------------------------------- */

int FixE3DBonds::size_restart(int nlocal)
{
  return 1 + bonds.doubles(nlocal);
}

int FixE3DBonds::maxsize_restart()
{
  int most = 0;
  for (int i = 0; i < atom->nlocal; i++) most = std::max(most, bonds.doubles(i));
  int most_of_all;    // rank 0 writes it into the file
  MPI_Allreduce(&most, &most_of_all, 1, MPI_INT, MPI_MAX, world);
  return 1 + most_of_all;
}

int FixE3DBonds::pack_restart(int i, double *buf)
{
  const int count = 1 + bonds.pack(i, buf + 1);
  buf[0] = count;
  return count;
}

void FixE3DBonds::unpack_restart(int nlocal, int nth)
{
  const double *values = atom->extra[nlocal];
  for (int k = 0; k < nth; k++) values += static_cast<int>(values[0]);    // lists of other fixes
  const int count = static_cast<int>(values[0]) - 1;
  try {
    bonds.unpack(nlocal, values + 1, count);
  } catch (const std::runtime_error &e) {
    E3D::error_one(lmp, FLERR, "{}: cannot go on from the restart file: {}", name, e.what());
  }
  check_number(nlocal);
}

/* ----------------------------------------------------------------------
   restart file, global: the step, and the numbers of the last sample
------------------------------------------------------------------------- */

void FixE3DBonds::write_restart(FILE *fp)
{
  if (comm->me != 0) return;
  E3D::RestartWriter state;
  state.put(STATE_FORMAT);
  for (const bigint number : {update->ntimestep, static_cast<bigint>(begun), num_bonds, num_events,
                              static_cast<bigint>(species_wanted), num_molecules, num_species})
    state.put(number);
  if (!state.write(fp)) E3D::error_one(lmp, FLERR, "{}: its state is larger than a restart file holds", name);
}

void FixE3DBonds::restart(char *buf)
{
  std::string problem;
  try {
    E3D::RestartReader state(buf);
    const std::string format = state.text();
    if (format != STATE_FORMAT)
      throw std::runtime_error("it is of the format '" + format + "', this version reads '" + STATE_FORMAT +
                               "'");
    restart_step = state.number();
    begun = state.number() != 0;
    num_bonds = state.number();
    num_events = state.number();
    species_wanted = state.number() != 0 || species_wanted;
    num_molecules = state.number();
    num_species = state.number();
  } catch (const std::exception &e) {
    problem = e.what();
  }
  if (!problem.empty()) error->all(FLERR, "{}: cannot go on from the restart file: {}", name, problem);
}
