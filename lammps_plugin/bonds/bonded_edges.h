/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_BONDED_EDGES_H
#define E3D_BONDED_EDGES_H

#include "bonds/pair_labels.h"
#include "edges/edge_frame.h"
#include "edges/edge_list.h"

#include "lmptype.h"

#include <cstdint>
#include <vector>

namespace E3D {

/* What pairing reads of LAMMPS; owned atoms come first, then ghosts. */

struct AtomView {
  int nlocal, nghost;
  const double *const *x;          // (nlocal+nghost, 3) Angstrom
  const LAMMPS_NS::tagint *tag;    // (nlocal+nghost)
  const int *type;                 // (nlocal+nghost)
};

/* The directed edges of this rank within a bond cutoff, each with the energy of its reverse edge,
   and the pairs that this rank has to report: over all ranks each pair and image exactly once.

   The reverse of an edge to a ghost lives on the rank that owns the ghost. So every owned atom sends
   those of its edges that end on a ghost to its own ghosts (one forward communication, in passes of
   ENTRIES doubles per atom), and an edge finds its reverse there by atom id and r_ji = -r_ij. What
   is sent grows with the bonds that cross a rank's surface, not with all edges.

   Use: collect(), then for each of num_passes(most crossing edges of any rank) a forward
   communication with pack() and unpack(), then match(). */

class BondedEdges {
 public:
  static constexpr int ENTRY_DOUBLES = 40;                 // of one atom in one pass, beside its count
  static constexpr int MAX_MEMBERS = ENTRY_DOUBLES - 4;    // of a committee, beside its first model

  // Angstrom, largest |r_ij + r_ji| of a pair. Far above rounding: a fix such as deform moves owned
  // atoms after the model ran, and their ghosts follow on the next step only. Far below the distance
  // of two images of an atom.
  static constexpr double MATCH = 0.3;

  struct Edge {
    int neighbour;    // local index, may be a ghost
    bool has_reverse;
    bool inside;           // within the bond cutoff; edges up to MATCH beyond it are kept to be matched
    double eps;            // epsilon_ij, LAMMPS energy units
    double reverse;        // epsilon_ji, 0 beyond its directed cutoff
    int64_t frame_edge;    // the edge in the EdgeFrame
  };

  struct Pair {
    int first, second;    // local indices; one of them is owned; r = x[second] - x[first]
    int label;
    double e12, e21;    // LAMMPS energy units
    int64_t edge;       // in edges(); the edge first -> second unless flipped
    bool flipped;       // the edge second -> first: the first atom has no edge here (asymmetric cutoffs)
    double D() const { return e12 + e21; }
    double A() const { return e12 - e21; }
  };

  // find the edges within the squared bond cutoffs (ntypes+1)^2, row = centre
  void collect(const EdgeFrame &frame, const AtomView &atoms, const std::vector<double> &cutsq);
  // squared cutoffs of the edges that it reads
  static std::vector<double> collected(const std::vector<double> &cutsq);

  // most edges to ghosts of any owned atom; the largest of all ranks is what begin_exchange() takes
  int max_crossing() const;
  void begin_exchange(int max_crossing_of_all_ranks);
  int num_passes() const { return num_passes_; }
  static int max_doubles() { return 1 + ENTRY_DOUBLES; }
  int pack(int pass, int atom, double *buffer) const;    // returns the doubles written
  int unpack(int ghost, const double *buffer);           // returns the doubles read

  // find the reverse edges and list the pairs; returns the edge whose reverse is absent although it
  // is within its directed cutoff, or -1
  int64_t match(const PairLabels &labels, const TypeTable &model);

  const std::vector<Edge> &edges() const { return edges_; }
  // first entry of the edges of an owned atom; first_edge(i + 1) is their end
  int64_t first_edge(int i) const { return offset_[i]; }
  const std::vector<Pair> &pairs() const { return pairs_; }

  // committee: population standard deviation of D and of A over its models, LAMMPS energy units
  double std_D(const Pair &pair) const { return spread(pair, 1.0); }
  double std_A(const Pair &pair) const { return spread(pair, -1.0); }

  double memory_usage() const;

 private:
  AtomView atoms_{};
  int members_ = 0;
  int stride_ = 0;    // entries that a ghost may have
  int num_passes_ = 0;
  std::vector<int64_t> offset_;    // (nlocal+1)
  std::vector<Edge> edges_;
  std::vector<Pair> pairs_;
  std::vector<double> member_eps_, member_reverse_;
  std::vector<int> ghost_count_;         // (nghost)
  std::vector<double> ghost_entries_;    // (nghost, stride, entry_width)

  int entry_width() const { return 4 + members_; }
  int entries_per_pass() const { return ENTRY_DOUBLES / entry_width(); }
  double *ghost_entry(int ghost, int k)
  {
    return &ghost_entries_[(static_cast<std::size_t>(ghost) * stride_ + k) * entry_width()];
  }
  const double *ghost_entry(int ghost, int k) const
  {
    return &ghost_entries_[(static_cast<std::size_t>(ghost) * stride_ + k) * entry_width()];
  }
  void find_reverse(int i, int64_t e);
  double spread(const Pair &pair, double sign_of_e21) const;
};

}    // namespace E3D

#endif
