/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_THIRD_DERIVATIVES_H
#define E3D_THIRD_DERIVATIVES_H

#include <c10/core/GradMode.h>
#include <c10/util/Exception.h>

namespace E3D {

/* Called in the backward pass of a first derivative: the derivatives of second derivatives would be 0 in
   silence. */

inline void refuse_third_derivatives()
{
  TORCH_CHECK(!c10::GradMode::is_enabled(),
              "e3d: third derivatives were asked for (create_graph in the backward pass of a loss with "
              "forces); the layers of training have two: train with layers: edge");
}

}    // namespace E3D

#endif
