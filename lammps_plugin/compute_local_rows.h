/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_COMPUTE_LOCAL_ROWS_H
#define E3D_COMPUTE_LOCAL_ROWS_H

#include "compute.h"
#include "error_one.h"

#include "error.h"
#include "memory.h"

#include <algorithm>
#include <climits>
#include <string>

namespace E3D {

/* What compute e3d/edge/local and e3d/pair/local share: rows of local data, a vector for one column,
   an array for several. */

class ComputeLocalRows : public LAMMPS_NS::Compute {
 public:
  ComputeLocalRows(LAMMPS_NS::LAMMPS *lmp, int narg, char **arg, const std::string &style) :
      Compute(lmp, narg, arg), name("compute " + std::string(arg[0]) + " " + style)
  {
    local_flag = 1;
  }

  ~ComputeLocalRows() override
  {
    memory->destroy(vlocal);
    memory->destroy(alocal);
  }

  double memory_usage() override
  {
    return static_cast<double>(max_rows) * static_cast<double>(columns) * sizeof(double);
  }

 protected:
  const std::string name;    // for messages

  void set_columns(std::size_t count)
  {
    columns = static_cast<int>(count);
    size_local_cols = columns == 1 ? 0 : columns;
  }

  // make room for this step's rows; what they are of is for the message
  void set_rows(LAMMPS_NS::bigint count, const char *what)
  {
    if (count > INT_MAX)
      E3D::error_one(lmp, FLERR,
                     "{}: {} {} on one rank are more than LAMMPS's local arrays hold; use a shorter "
                     "'cutoff' or more ranks",
                     name, count, what);
    size_local_rows = static_cast<int>(count);
    if (size_local_rows <= max_rows) return;
    max_rows = static_cast<int>(std::min<LAMMPS_NS::bigint>(INT_MAX, count + count / 16 + 64));
    if (columns == 1) {
      memory->destroy(vlocal);
      memory->create(vlocal, max_rows, "e3d:vector_local");
      vector_local = vlocal;
    } else {
      memory->destroy(alocal);
      memory->create(alocal, max_rows, columns, "e3d:array_local");
      array_local = alocal;
    }
  }

  double *row(LAMMPS_NS::bigint k) { return columns == 1 ? &vlocal[k] : alocal[k]; }

 private:
  int columns = 0, max_rows = 0;
  double *vlocal = nullptr;
  double **alocal = nullptr;
};

}    // namespace E3D

#endif
