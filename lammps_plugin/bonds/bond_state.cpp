/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "bonds/bond_state.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>

namespace E3D {

namespace {

  double to_double(uint64_t bits)
  {
    double value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
  }

  uint64_t to_bits(double value)
  {
    uint64_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    return bits;
  }

  BondEvent event_of(int64_t id, int64_t partner, int own_type, int partner_type, bool is_first, bool formed)
  {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    if (is_first) return {id, partner, nan, nan, nan, own_type, partner_type, formed, 0};
    return {partner, id, nan, nan, nan, partner_type, own_type, formed, 0};
  }

  BondEvent event_of(int64_t id, const BondCandidate &pair, bool formed)
  {
    BondEvent event = event_of(id, pair.partner, pair.own_type, pair.partner_type, pair.is_first, formed);
    event.D = pair.D;
    event.A = pair.A;
    event.r = pair.r;
    return event;
  }

}    // namespace

/* ---------------------------------------------------------------------- */

int BondState::pack(int atom, double *buffer) const
{
  double *out = buffer;
  *out++ = to_double(static_cast<uint64_t>(atoms_[atom].id));
  *out++ = num_bonds(atom);
  for (const auto &link : atoms_[atom].links) {
    *out++ = to_double(static_cast<uint64_t>(link.partner));
    *out++ = to_double(static_cast<uint64_t>(link.is_first) << 62 |
                       static_cast<uint64_t>(link.own_type) << 31 | static_cast<uint64_t>(link.partner_type));
  }
  return static_cast<int>(out - buffer);
}

void BondState::unpack(int atom, const double *buffer, int size)
{
  constexpr uint64_t TYPE = (uint64_t{1} << 31) - 1;
  const int rest = size - ATOM_DOUBLES;
  if (rest < 0 || rest % LINK_DOUBLES != 0 || buffer[1] != rest / LINK_DOUBLES)
    throw std::runtime_error("a list of bonds that is damaged");
  auto &[id, links] = atoms_[atom];
  id = static_cast<int64_t>(to_bits(buffer[0]));
  links.resize(rest / LINK_DOUBLES);
  const double *in = buffer + ATOM_DOUBLES;
  for (auto &link : links) {
    const uint64_t bits = to_bits(in[1]);
    link = {static_cast<int64_t>(to_bits(in[0])), static_cast<int>(bits >> 31 & TYPE),
            static_cast<int>(bits & TYPE), (bits >> 62) != 0};
    in += LINK_DOUBLES;
  }
}

/* ---------------------------------------------------------------------- */

void BondState::update(int atom, int64_t id, std::vector<BondCandidate> &candidates,
                       const BondThresholds &thresholds, bool begin, std::vector<BondEvent> &events)
{
  auto &links = atoms_[atom].links;
  atoms_[atom].id = id;
  if (begin) links.clear();
  if (links.empty() && candidates.empty()) return;

  const bool by_energy = thresholds.criterion == BondCriterion::Energy;
  const auto strength = [by_energy](const BondCandidate &pair) { return by_energy ? pair.D : pair.r; };
  std::sort(candidates.begin(), candidates.end(), [&](const BondCandidate &a, const BondCandidate &b) {
    if (a.partner != b.partner) return a.partner < b.partner;
    return strength(a) < strength(b);
  });

  std::vector<Link> now;
  auto old = links.cbegin();
  const auto end_links_before = [&](int64_t partner) {    // of pairs that are no longer in the list
    for (; old != links.cend() && old->partner < partner; ++old)
      events.push_back(event_of(id, old->partner, old->own_type, old->partner_type, old->is_first, false));
  };
  int64_t last = std::numeric_limits<int64_t>::min();
  for (const auto &pair : candidates) {
    if (pair.partner == last) continue;    // a weaker image
    last = pair.partner;
    end_links_before(pair.partner);
    const bool was = old != links.cend() && old->partner == pair.partner;
    if (was) ++old;
    const double value = strength(pair);
    const bool stays = (was || begin) && !thresholds.breaks(pair.label, value);
    const bool forms = !was && !begin && thresholds.forms(pair.label, value);
    if (stays || forms) now.push_back({pair.partner, pair.own_type, pair.partner_type, pair.is_first});
    if (forms || (was && !stays)) events.push_back(event_of(id, pair, forms));
  }
  end_links_before(std::numeric_limits<int64_t>::max());
  links.swap(now);
}

/* ---------------------------------------------------------------------- */

double BondState::memory_usage() const
{
  double bytes = static_cast<double>(atoms_.capacity()) * sizeof(Atom);
  for (const auto &atom : atoms_) bytes += static_cast<double>(atom.links.capacity()) * sizeof(Link);
  return bytes;
}

}    // namespace E3D
