/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "bonds/species.h"

#include <algorithm>
#include <numeric>
#include <sstream>
#include <utility>

namespace E3D {

void Components::reset(std::vector<int64_t> labels)
{
  label_ = std::move(labels);
  parent_.resize(label_.size());
  std::iota(parent_.begin(), parent_.end(), 0);
}

int Components::root(int i)
{
  while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
  return i;
}

void Components::unite(int i, int j)
{
  i = root(i);
  j = root(j);
  if (i == j) return;
  if (label_[j] < label_[i]) std::swap(i, j);
  parent_[j] = i;
}

bool Components::lower(int i, int64_t label)
{
  i = root(i);
  if (label >= label_[i]) return false;
  label_[i] = label;
  return true;
}

/* ---------------------------------------------------------------------- */

std::string hill_formula(const std::vector<std::string> &elements, const int64_t *counts)
{
  bool has_carbon = false;
  std::vector<std::size_t> order;
  for (std::size_t k = 0; k < elements.size(); k++) {
    if (counts[k] == 0) continue;
    order.push_back(k);
    has_carbon = has_carbon || elements[k] == "C";
  }
  const auto rank = [&](const std::string &element) {
    if (has_carbon && element == "C") return 0;
    return has_carbon && element == "H" ? 1 : 2;
  };
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const int first = rank(elements[a]), second = rank(elements[b]);
    return first != second ? first < second : elements[a] < elements[b];
  });
  std::string formula;
  for (const std::size_t k : order)
    formula += elements[k] + (counts[k] == 1 ? "" : std::to_string(counts[k]));
  return formula;
}

/* ---------------------------------------------------------------------- */

void SpeciesCount::add_words(const std::string &words)
{
  std::istringstream stream(words);
  for (std::string word; stream >> word;) {
    const auto colon = word.rfind(':');
    add(word.substr(0, colon), std::stoll(word.substr(colon + 1)));
  }
}

std::string SpeciesCount::words() const
{
  std::vector<std::pair<std::string, int64_t>> order(counts_.begin(), counts_.end());
  std::stable_sort(order.begin(), order.end(),
                   [](const auto &a, const auto &b) { return a.second > b.second; });
  std::string words;
  for (const auto &item : order)
    words += (words.empty() ? "" : " ") + item.first + ":" + std::to_string(item.second);
  return words;
}

int64_t SpeciesCount::molecules() const
{
  int64_t sum = 0;
  for (const auto &item : counts_) sum += item.second;
  return sum;
}

}    // namespace E3D
