/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

// the map of fix e3d/map through restart files

#include "fix_e3d_map.h"

#include "error_one.h"
#include "support/restart_state.h"

#include "comm.h"
#include "error.h"
#include "update.h"

#include <stdexcept>

using namespace LAMMPS_NS;

static constexpr const char *STATE_FORMAT = "fix e3d/map state 2";

/* ----------------------------------------------------------------------
   state: format, settings, step, sampling, table, share of unvisited bins and packed map; all ranks call both
   routines
------------------------------------------------------------------------- */

void FixE3DMap::write_restart(FILE *fp)
{
  reduce();
  if (comm->me != 0) return;

  E3D::RestartWriter state;
  state.put(STATE_FORMAT);
  state.put(settings);
  for (const bigint number : {update->ntimestep, next_sample, taken, samples, first_step, last_step})
    state.put(number);
  state.put(table);
  state.put(reference_text);
  state.put(std::vector<double>{unvisited_share});
  state.put(map->pack());
  if (!state.write(fp))
    E3D::error_one(lmp, FLERR, "{}: a map of {} bytes is larger than a restart file holds; use wider bins",
                   name, state.size());
}

/* ---------------------------------------------------------------------- */

void FixE3DMap::restart(char *buf)
{
  std::string problem;
  try {
    E3D::RestartReader state(buf);
    if (state.text() != STATE_FORMAT) throw std::runtime_error("it is of another version of e3d");
    const std::string stored = state.text();
    if (stored != settings)
      throw std::runtime_error("it is of other settings, '" + stored + "' instead of '" + settings + "'");
    const bigint step = state.number();
    for (bigint *number : {&next_sample, &taken, &samples, &first_step, &last_step}) *number = state.number();
    table = state.list<double>();
    const bool is_same_reference = state.text() == reference_text;
    const std::vector<double> share = state.list<double>();
    if (table.size() != static_cast<std::size_t>(size_array_rows) * NUM_COLUMNS || share.size() != 1)
      throw std::runtime_error("it is cut off");
    unvisited_share = is_same_reference ? share[0] : 0.0;
    for (int row = 0; row < size_array_rows && !is_same_reference; row++)
      table[static_cast<std::size_t>(row) * NUM_COLUMNS + UNVISITED] = 0.0;
    map->merge(state.list<int64_t>());
    if (comm->me != 0) map->clear();
    if (step != update->ntimestep) {    // reset_timestep has come between
      taken = 0;
      next_sample = next_valid();
    }
  } catch (const std::runtime_error &e) {
    problem = e.what();
  }
  if (problem.empty()) return;

  map->clear();
  table.assign(static_cast<std::size_t>(size_array_rows) * NUM_COLUMNS, 0.0);
  unvisited_share = 0.0;
  taken = samples = 0;
  next_sample = next_valid();
  if (comm->me == 0)
    error->warning(FLERR, "{} begins with an empty map and does not use the one in the restart file: {}",
                   name, problem);
}
