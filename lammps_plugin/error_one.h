/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_ERROR_ONE_H
#define E3D_ERROR_ONE_H

#include "comm.h"
#include "error.h"
#include "lammps.h"

#include <chrono>
#include <string>
#include <thread>
#include <utility>

namespace E3D {

/* error->one, with time for its text to arrive: MPICH's mpirun drops what a rank has printed when the rank aborts
   at once (7 of 40 runs on a busy machine), and only the first rank has a log file. */

template <typename... Args>
[[noreturn]] void error_one(LAMMPS_NS::LAMMPS *lmp, const std::string &file, int line,
                            const std::string &format, Args &&...args)
{
  struct Pause {
    bool wanted;
    ~Pause()
    {
      if (wanted) std::this_thread::sleep_for(std::chrono::milliseconds(300));
    }
  } after_printing{lmp->comm->nprocs > 1};
  lmp->error->one(file, line, format, std::forward<Args>(args)...);
}

}    // namespace E3D

#endif
