/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_EDGE_LIST_H
#define E3D_EDGE_LIST_H

#include "edges/edge_frame.h"
#include "model/edge_chunk.h"

#include "lmptype.h"

#include <cstdint>
#include <exception>
#include <vector>

namespace E3D {

/* What the edge list reads of LAMMPS: a full neighbour list, positions, types, ids. Nothing is copied. */

struct NeighborView {
  int inum;                  // number of centres in ilist
  const int *ilist;          // (inum) local index of each centre
  const int *numneigh;       // (nlocal) neighbours of each atom
  int *const *firstneigh;    // (nlocal) lists of local indices; find_edges() puts them in the order of ids
  int neighmask;             // bits of a list entry that hold the index
  const double *const *x;    // (nlocal+nghost, 3) positions, Angstrom
  const int *type;           // (nlocal+nghost) LAMMPS types, 1 to ntypes
  const LAMMPS_NS::tagint *tag;    // (nlocal+nghost)
};

/* Model type of each LAMMPS type, and the squared directed cutoffs between LAMMPS types. */

class TypeTable {
 public:
  // map: (ntypes+1) model type of each LAMMPS type, -1 for NULL, entry 0 unused
  // cutoffs: (nmodel*nmodel) directed cutoffs in Angstrom, row = centre, column = neighbour
  TypeTable() = default;
  TypeTable(const std::vector<int> &map, const std::vector<double> &cutoffs);

  int model_type(int lammps_type) const { return map_[lammps_type]; }
  int num_types() const { return static_cast<int>(map_.size()) - 1; }
  double cutoff(int centre_type, int neighbour_type) const;
  // squared cutoffs of one centre type by neighbour type; 0 where either is NULL: never an edge
  const double *cutsq_row(int centre_type) const
  {
    return &cutsq_[static_cast<std::size_t>(centre_type) * map_.size()];
  }

 private:
  std::vector<int> map_;
  std::vector<double> cutsq_;
};

/* Two atoms at the same place, or one of them at none (NaN): no model has an energy for that. */

class BadEdge : public std::exception {
 public:
  BadEdge(int centre_index, int neighbour_index) : centre(centre_index), neighbour(neighbour_index) {}
  const char *what() const noexcept override
  {
    return "two atoms at the same place, or a position that is NaN";
  }

  const int centre, neighbour;    // local indices
};

/* Find the directed edges within the model's cutoffs and store them in the frame, sorted by centre,
   then by id of the neighbour, then by distance. Positions of a rank without atoms are never touched.
   Throws BadEdge; the frame then holds no edges that count. */

void find_edges(const NeighborView &neighbors, const TypeTable &types, EdgeFrame &frame);

/* How many rows a chunk holds that starts at first_row: exactly max_rows if that is positive,
   otherwise as many as stay within max_edges, at least one. */

int64_t rows_in_chunk(const EdgeFrame &frame, int64_t first_row, int64_t max_rows, int64_t max_edges);

/* max_edges made smaller, so that the rows from first_row on make chunks of about the same number of edges, and
   no more of them: chunks of one shape, where shapes count. */

int64_t even_edges(const EdgeFrame &frame, int64_t first_row, int64_t max_edges);

/* What filling a chunk must know of the model. */

struct ChunkRules {
  int num_model_types;
  double r_max;    // Angstrom; padding edges are 1.5 times as long
  ChunkForm form;
};

/* Fill a chunk's model inputs from the frame. */

void fill_chunk(const NeighborView &neighbors, const TypeTable &types, const ChunkRules &rules,
                const EdgeFrame &frame, int64_t first_row, int64_t num_rows, EdgeChunk &chunk);

}    // namespace E3D

#endif
