/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "bonds/bonded_edges.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace E3D {

namespace {

  void edge_vector(const AtomView &atoms, int i, int j, double *r)
  {
    for (int d = 0; d < 3; d++) r[d] = atoms.x[j][d] - atoms.x[i][d];
  }

  double squared(const double *r)
  {
    return r[0] * r[0] + r[1] * r[1] + r[2] * r[2];
  }

  // an entry: atom id, vector (single precision is enough to tell images apart), epsilon

  void write_entry(double *out, LAMMPS_NS::tagint tag, const double *r, double eps)
  {
    const auto id = static_cast<int64_t>(tag);
    const float vector[4] = {static_cast<float>(r[0]), static_cast<float>(r[1]), static_cast<float>(r[2]),
                             0.0f};
    std::memcpy(out, &id, sizeof(id));
    std::memcpy(out + 1, vector, sizeof(vector));
    out[3] = eps;
  }

  // squared distance between the reverse of r and the vector of an entry, negative if of another atom
  double mismatch(const double *entry, LAMMPS_NS::tagint tag, const double *r)
  {
    int64_t id;
    float vector[4];
    std::memcpy(&id, entry, sizeof(id));
    if (id != static_cast<int64_t>(tag)) return -1.0;
    std::memcpy(vector, entry + 1, sizeof(vector));
    const double sum[3] = {vector[0] + r[0], vector[1] + r[1], vector[2] + r[2]};
    return squared(sum);
  }

  double square(double a)
  {
    return a * a;
  }

}    // namespace

/* ---------------------------------------------------------------------- */

std::vector<double> BondedEdges::collected(const std::vector<double> &cutsq)
{
  std::vector<double> out(cutsq);
  for (double &limit : out)
    if (limit > 0.0) limit = square(std::sqrt(limit) + MATCH);
  return out;
}

/* ---------------------------------------------------------------------- */

void BondedEdges::collect(const EdgeFrame &frame, const AtomView &atoms, const std::vector<double> &cutsq)
{
  atoms_ = atoms;
  members_ = frame.members;
  edges_.clear();
  member_eps_.clear();
  offset_.assign(atoms.nlocal + 1, 0);
  const auto width = static_cast<std::size_t>(std::lround(std::sqrt(cutsq.size())));

  // rows of the frame are in the order of the neighbour list, ours in that of the atoms
  for (std::size_t row = 0; row < frame.rows(); row++) offset_[frame.centre[row] + 1] = -1 - row;
  for (int i = 0; i < atoms.nlocal; i++) {
    const int64_t row = -1 - offset_[i + 1];
    if (row >= 0) {
      const double *cutoffs = &cutsq[atoms.type[i] * width];
      for (int64_t e = frame.offset[row]; e < frame.offset[row + 1]; e++) {
        const int j = frame.neighbour[e];
        double r[3];
        edge_vector(atoms, i, j, r);
        const double rsq = squared(r), limit = cutoffs[atoms.type[j]];
        if (limit == 0.0 || rsq >= square(std::sqrt(limit) + MATCH)) continue;
        edges_.push_back({j, false, rsq < limit, frame.eps[e], 0.0, e});
        for (int m = 0; m < members_; m++) member_eps_.push_back(frame.member_eps[e * members_ + m]);
      }
    }
    offset_[i + 1] = static_cast<int64_t>(edges_.size());
  }
  member_reverse_.assign(member_eps_.size(), 0.0);
}

/* ---------------------------------------------------------------------- */

int BondedEdges::max_crossing() const
{
  int most = 0;
  for (int i = 0; i < atoms_.nlocal; i++) {
    int count = 0;
    for (int64_t e = offset_[i]; e < offset_[i + 1]; e++)
      if (edges_[e].neighbour >= atoms_.nlocal) count++;
    most = std::max(most, count);
  }
  return most;
}

/* ---------------------------------------------------------------------- */

void BondedEdges::begin_exchange(int max_crossing_of_all_ranks)
{
  stride_ = max_crossing_of_all_ranks;
  num_passes_ = (stride_ + entries_per_pass() - 1) / entries_per_pass();
  ghost_count_.assign(atoms_.nghost, 0);
  ghost_entries_.resize(static_cast<std::size_t>(atoms_.nghost) * stride_ * entry_width());
}

/* ---------------------------------------------------------------------- */

int BondedEdges::pack(int pass, int atom, double *buffer) const
{
  const int first = pass * entries_per_pass(), last = first + entries_per_pass();
  double *out = buffer + 1;
  int count = 0;

  if (atom < atoms_.nlocal) {
    int k = 0;
    for (int64_t e = offset_[atom]; e < offset_[atom + 1] && k < last; e++) {
      if (edges_[e].neighbour < atoms_.nlocal || k++ < first) continue;
      double r[3];
      edge_vector(atoms_, atom, edges_[e].neighbour, r);
      write_entry(out, atoms_.tag[edges_[e].neighbour], r, edges_[e].eps);
      for (int m = 0; m < members_; m++) out[4 + m] = member_eps_[e * members_ + m];
      out += entry_width();
      count++;
    }
  } else {    // a ghost that is passed on to a further rank
    const int ghost = atom - atoms_.nlocal;
    for (int k = first; k < std::min(last, ghost_count_[ghost]); k++) {
      out = std::copy_n(ghost_entry(ghost, k), entry_width(), out);
      count++;
    }
  }
  buffer[0] = count;
  return static_cast<int>(out - buffer);
}

/* ---------------------------------------------------------------------- */

int BondedEdges::unpack(int ghost, const double *buffer)
{
  const int count = static_cast<int>(buffer[0]);
  const int k = ghost - atoms_.nlocal;
  std::copy_n(buffer + 1, count * entry_width(), count ? ghost_entry(k, ghost_count_[k]) : nullptr);
  ghost_count_[k] += count;
  return 1 + count * entry_width();
}

/* ---------------------------------------------------------------------- */

void BondedEdges::find_reverse(int i, int64_t e)
{
  Edge &edge = edges_[e];
  const int j = edge.neighbour;
  if (j < atoms_.nlocal) {
    for (int64_t k = offset_[j]; k < offset_[j + 1]; k++) {
      if (edges_[k].neighbour != i) continue;
      edge.has_reverse = true;
      edge.reverse = edges_[k].eps;
      for (int m = 0; m < members_; m++) member_reverse_[e * members_ + m] = member_eps_[k * members_ + m];
      return;
    }
    return;
  }

  double r[3];
  edge_vector(atoms_, i, j, r);
  const int ghost = j - atoms_.nlocal;
  const double *nearest = nullptr;
  double least = square(MATCH);
  for (int k = 0; k < ghost_count_[ghost]; k++) {
    const double *entry = ghost_entry(ghost, k);
    const double distance = mismatch(entry, atoms_.tag[i], r);
    if (distance < 0.0 || distance >= least) continue;
    least = distance;
    nearest = entry;
  }
  if (!nearest) return;
  edge.has_reverse = true;
  edge.reverse = nearest[3];
  for (int m = 0; m < members_; m++) member_reverse_[e * members_ + m] = nearest[4 + m];
}

/* ---------------------------------------------------------------------- */

int64_t BondedEdges::match(const PairLabels &labels, const TypeTable &model)
{
  pairs_.clear();
  int64_t unmatched = -1;
  for (int i = 0; i < atoms_.nlocal; i++) {
    const int itype = atoms_.type[i];
    for (int64_t e = offset_[i]; e < offset_[i + 1]; e++) {
      find_reverse(i, e);
      const Edge &edge = edges_[e];
      const int j = edge.neighbour, jtype = atoms_.type[j];
      double r[3];
      edge_vector(atoms_, i, j, r);
      if (!edge.has_reverse) {
        const double limit = model.cutoff(jtype, itype) - MATCH;
        if (edge.inside && limit > 0.0 && squared(r) < square(limit)) unmatched = e;
      }

      // the owner of the first atom reports the pair; the owner of the second one only where the
      // first atom has no edge, so that no rounding of a distance loses or doubles a pair
      if (!edge.inside) continue;
      const bool first = labels.is_first(itype, atoms_.tag[i], jtype, atoms_.tag[j], r);
      const int label = labels.of_types(itype, jtype);
      if (first)
        pairs_.push_back({i, j, label, edge.eps, edge.reverse, e, false});
      else if (!edge.has_reverse)
        pairs_.push_back({j, i, label, edge.reverse, edge.eps, e, true});
    }
  }
  return unmatched;
}

/* ---------------------------------------------------------------------- */

double BondedEdges::spread(const Pair &pair, double sign_of_e21) const
{
  double mean = pair.e12 + sign_of_e21 * pair.e21, squares = 0.0;
  for (int m = 0; m < members_; m++) {
    const double forward = member_eps_[pair.edge * members_ + m];
    const double reverse = member_reverse_[pair.edge * members_ + m];
    const double value = pair.flipped ? reverse + sign_of_e21 * forward : forward + sign_of_e21 * reverse;
    const double delta = value - mean;    // Welford's recurrence
    mean += delta / (m + 2);
    squares += delta * (value - mean);
  }
  return std::sqrt(squares / (members_ + 1));
}

/* ---------------------------------------------------------------------- */

double BondedEdges::memory_usage() const
{
  return static_cast<double>(offset_.capacity()) * sizeof(int64_t) +
      static_cast<double>(edges_.capacity()) * sizeof(Edge) +
      static_cast<double>(pairs_.capacity()) * sizeof(Pair) +
      static_cast<double>(ghost_count_.capacity()) * sizeof(int) +
      static_cast<double>(member_eps_.capacity() + member_reverse_.capacity() + ghost_entries_.capacity()) *
      sizeof(double);
}

}    // namespace E3D
