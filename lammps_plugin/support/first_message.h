/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_FIRST_MESSAGE_H
#define E3D_FIRST_MESSAGE_H

#include <mpi.h>

#include <string>

namespace E3D {

/* A text from a file as it may reach a terminal: control characters are written out, as \x1b. */

inline std::string printable(const std::string &text)
{
  static const char digits[] = "0123456789abcdef";
  std::string out;
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    if (byte >= 0x20 && byte != 0x7f)
      out += letter;
    else
      out += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
  }
  return out;
}

/* The message of the lowest rank that has one, on all ranks, printable: empty if none has. What may fail on some
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

  std::string message = printable(mine);
  int length = static_cast<int>(message.size());
  MPI_Bcast(&length, 1, MPI_INT, first, world);
  message.resize(length);
  MPI_Bcast(&message[0], length, MPI_CHAR, first, world);
  return message;
}

}    // namespace E3D

#endif
