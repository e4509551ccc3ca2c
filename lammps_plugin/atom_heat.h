/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_ATOM_HEAT_H
#define E3D_ATOM_HEAT_H

#include "edges/edge_frame.h"

#include "atom.h"
#include "force.h"

#include <cstddef>

namespace E3D {

/* What the heat current takes of single atoms (ARCHITECTURE section 1). */

inline double mass_of(const LAMMPS_NS::Atom *atom, int i)
{
  return atom->rmass ? atom->rmass[i] : atom->mass[atom->type[i]];
}

// K_i of a velocity, energy units of the run
inline double kinetic_energy(const LAMMPS_NS::Atom *atom, const LAMMPS_NS::Force *force, int i,
                             const double *v)
{
  return 0.5 * force->mvv2e * mass_of(atom, i) * (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
}

/* Calls add(j, r, g) for every edge that ends on atom j, owned or ghost, with r = r_ij and g = g_ij: the
   virial W_j = -sum r (x) g, which still has to be summed from ghosts to owners. */
template <typename Add>
void for_each_edge_force(const EdgeFrame &frame, const double *const *x, const Add &add)
{
  for (std::size_t k = 0; k < frame.rows(); k++) {
    const double *xi = x[frame.centre[k]];
    for (int64_t e = frame.offset[k]; e < frame.offset[k + 1]; e++) {
      const int j = frame.neighbour[e];
      const double r[3] = {x[j][0] - xi[0], x[j][1] - xi[1], x[j][2] - xi[2]};
      add(j, r, &frame.g[3 * static_cast<std::size_t>(e)]);
    }
  }
}

}    // namespace E3D

#endif
