/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_RECORDED_ROWS_H
#define E3D_RECORDED_ROWS_H

#include "lmptype.h"

#include <algorithm>
#include <cstdint>

namespace E3D {

/* Rows of fix e3d/record as they lie in its files, and their layout in numpy's words. */

struct RecordedEdge {
  int64_t i, j;              // ids of centre and neighbour
  int32_t type_i, type_j;    // LAMMPS types
  double vec[3];             // Angstrom, r_j - r_i
  double eps;                // LAMMPS energy units
};

struct RecordedBond {
  int64_t i, j;    // ids of the pair's first and second atom
  int32_t type_i, type_j;
  double vec[3];
  double e12, e21;    // LAMMPS energy units, edges i -> j and j -> i
};

constexpr const char *RECORDED_EDGE_DTYPE = "[('i', '<i8'), ('j', '<i8'), ('type_i', '<i4'), ('type_j', "
                                            "'<i4'), ('vec', '<f8', (3,)), ('eps', '<f8')]";
constexpr const char *RECORDED_BOND_DTYPE = "[('i', '<i8'), ('j', '<i8'), ('type_i', '<i4'), ('type_j', "
                                            "'<i4'), ('vec', '<f8', (3,)), ('e12', '<f8'), "
                                            "('e21', '<f8')]";

static_assert(sizeof(RecordedEdge) == 56 && sizeof(RecordedBond) == 64, "no padding, as the layouts say");

/* A part of all pairs of atoms, chosen by a hash of their ids: the same pairs on every step, at any number of ranks,
   with both edges of a pair and all its images or with none. The hash is the finaliser of splitmix64 (Steele, Lea,
   Flood, OOPSLA 2014), of the lower id, and of that plus the higher one. */

class PairSample {
 public:
  // fraction: 0 < fraction <= 1
  explicit PairSample(double fraction) :
      all_(fraction >= 1.0),
      limit_(all_ ? UINT64_MAX : static_cast<uint64_t>(fraction * 18446744073709551616.0))
  {
  }

  bool has(LAMMPS_NS::tagint a, LAMMPS_NS::tagint b) const
  {
    if (all_) return true;
    const auto low = static_cast<uint64_t>(std::min(a, b)), high = static_cast<uint64_t>(std::max(a, b));
    return mixed(mixed(low) + high) < limit_;
  }

 private:
  bool all_;
  uint64_t limit_;

  static uint64_t mixed(uint64_t x)
  {
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
  }
};

}    // namespace E3D

#endif
