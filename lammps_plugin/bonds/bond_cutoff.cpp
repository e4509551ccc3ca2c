/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "bonds/bond_cutoff.h"

#include "covalent_radii.h"
#include "edges/edge_list.h"

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace E3D {

namespace {

  bool is_element(const std::string &symbol)
  {
    for (const auto &entry : covalent_radii)
      if (symbol == entry.element) return true;
    return false;
  }

  double covalent_radius(const std::string &element)
  {
    for (const auto &entry : covalent_radii)
      if (element == entry.element) return entry.radius;
    throw std::runtime_error("no covalent radius is known for '" + element +
                             "': use 'cutoff NUMBER' or 'cutoff file F'");
  }

}    // namespace

BondCutoff::BondCutoff(const std::vector<std::string> &specification)
{
  const std::string &word = specification.at(0);
  if (word == "model") {
    kind_ = Kind::Model;
  } else if (word == "covalent") {
    kind_ = Kind::Covalent;
  } else if (word == "paper") {
    kind_ = Kind::Number;
    number_ = PAPER;
  } else if (word == "file") {
    kind_ = Kind::Table;
    read_table(specification.at(1));
  } else {
    kind_ = Kind::Number;
    std::size_t used = 0;
    try {
      number_ = std::stod(word, &used);
    } catch (const std::exception &) {
      used = 0;
    }
    if (used != word.size() || !(number_ > 0.0))
      throw std::runtime_error("bond cutoff '" + word +
                               "' is none of: model, covalent, paper, a positive number in Angstrom, "
                               "file F");
  }
}

void BondCutoff::read_table(const std::string &file)
{
  std::ifstream stream(file);
  if (!stream)
    throw std::runtime_error("cannot open bond cutoff file " + file +
                             ": it holds lines 'El1 El2 R' with R in Angstrom");
  int number = 0;
  for (std::string line; std::getline(stream, line);) {
    number++;
    std::istringstream fields(line.substr(0, line.find('#')));
    Entry entry{};
    std::string extra;
    if (!(fields >> entry.element1)) continue;
    if (!(fields >> entry.element2 >> entry.cutoff) || fields >> extra || !(entry.cutoff > 0.0))
      throw std::runtime_error("line " + std::to_string(number) + " of bond cutoff file " + file +
                               " is not 'El1 El2 R' with R in Angstrom: " + line);
    const std::string where = "line " + std::to_string(number) + " of bond cutoff file " + file + ": ";
    for (const auto &element : {entry.element1, entry.element2})
      if (!is_element(element))
        throw std::runtime_error(where + "'" + element + "' is no chemical element, such as C or Si");
    const double before = (*this)(entry.element1, entry.element2);
    if (before > 0.0 && before != entry.cutoff)
      throw std::runtime_error(where + entry.element1 + " " + entry.element2 +
                               " has another distance on an earlier line: keep one of the two");
    table_.push_back(entry);
  }
  if (table_.empty())
    throw std::runtime_error("bond cutoff file " + file + " holds no line 'El1 El2 R' with R in Angstrom");
}

double BondCutoff::operator()(const std::string &element1, const std::string &element2) const
{
  switch (kind_) {
    case Kind::Covalent: return COVALENT_FACTOR * (covalent_radius(element1) + covalent_radius(element2));
    case Kind::Number: return number_;
    case Kind::Table:
      for (const auto &entry : table_)
        if ((entry.element1 == element1 && entry.element2 == element2) ||
            (entry.element1 == element2 && entry.element2 == element1))
          return entry.cutoff;
      return -1.0;
    case Kind::Model: break;
  }
  return -1.0;
}

std::vector<double> bond_cutoffs_squared(const BondCutoff &cutoff, const std::vector<std::string> &elements,
                                         const TypeTable &model)
{
  const std::size_t width = elements.size();
  std::vector<double> cutsq(width * width, 0.0);
  for (std::size_t i = 1; i < width; i++) {
    for (std::size_t j = 1; j < width; j++) {
      if (elements[i].empty() || elements[j].empty()) continue;
      const double limit = model.cutoff(static_cast<int>(i), static_cast<int>(j));
      const double c = cutoff.is_model() ? limit : cutoff(elements[i], elements[j]);
      if (c > limit * (1.0 + 1e-12)) {
        std::ostringstream message;
        message << "bond cutoff " << c << " Angstrom for " << elements[i] << "-" << elements[j]
                << " is longer than the model's cutoff of " << limit
                << " Angstrom: use a shorter one, or 'cutoff model'";
        throw std::runtime_error(message.str());
      }
      if (c > 0.0) cutsq[i * width + j] = c * c;
    }
  }
  return cutsq;
}

}    // namespace E3D
