/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_FIRST_MESSAGE_H
#define E3D_FIRST_MESSAGE_H

#include <mpi.h>

#include <string>

namespace E3D {

/* The message of the lowest rank that has one, on all ranks: empty if none has. What may fail on some
   ranks only (a file that one node does not see) so becomes an error on all, which is what
   error->all needs. Collective. */

inline std::string first_message(MPI_Comm world, const std::string &mine)
{
  int me, nprocs;
  MPI_Comm_rank(world, &me);
  MPI_Comm_size(world, &nprocs);
  int rank = mine.empty() ? nprocs : me, first;
  MPI_Allreduce(&rank, &first, 1, MPI_INT, MPI_MIN, world);
  if (first == nprocs) return "";

  int length = static_cast<int>(mine.size());
  MPI_Bcast(&length, 1, MPI_INT, first, world);
  std::string message = mine;
  message.resize(length);
  MPI_Bcast(&message[0], length, MPI_CHAR, first, world);
  return message;
}

}    // namespace E3D

#endif
