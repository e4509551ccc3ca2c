/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "bonds/pair_labels.h"

#include <algorithm>
#include <stdexcept>

namespace E3D {

namespace {

  // alphabetical, H last
  bool comes_before(const std::string &a, const std::string &b)
  {
    if ((a == "H") != (b == "H")) return b == "H";
    return a < b;
  }

}    // namespace

PairLabels::PairLabels(const std::vector<std::string> &elements) :
    width_(elements.size()), elements_(elements), rank_(elements.size(), NONE),
    label_(elements.size() * elements.size(), NONE)
{
  std::vector<std::string> order;
  for (std::size_t t = 1; t < width_; t++)
    if (!elements[t].empty()) order.push_back(elements[t]);
  std::sort(order.begin(), order.end(), comes_before);
  order.erase(std::unique(order.begin(), order.end()), order.end());

  const auto n = static_cast<int>(order.size());
  std::vector<int> number(n * n, NONE);
  for (int a = 0; a < n; a++)
    for (int b = a; b < n; b++) {
      number[a * n + b] = number[b * n + a] = size();
      names_.push_back(order[a] + "-" + order[b]);
      like_.push_back(a == b);
    }

  for (std::size_t t = 1; t < width_; t++)
    if (!elements[t].empty())
      rank_[t] = static_cast<int>(std::find(order.begin(), order.end(), elements[t]) - order.begin());
  for (std::size_t t = 1; t < width_; t++)
    for (std::size_t u = 1; u < width_; u++)
      if (rank_[t] != NONE && rank_[u] != NONE) label_[t * width_ + u] = number[rank_[t] * n + rank_[u]];
}

int PairLabels::of_word(const std::string &word) const
{
  const auto hyphen = word.find('-');
  if (hyphen != std::string::npos) {
    const std::string a = word.substr(0, hyphen), b = word.substr(hyphen + 1);
    const std::string name = comes_before(b, a) ? b + "-" + a : a + "-" + b;
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found != names_.end()) return static_cast<int>(found - names_.begin());
  }
  std::string known;
  for (const auto &name : names_) known += " " + name;
  throw std::runtime_error("unknown pair '" + word + "'; choose from:" + known);
}

}    // namespace E3D
