/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_COMPUTE_ARGUMENTS_H
#define E3D_COMPUTE_ARGUMENTS_H

#include "bonds/bond_cutoff.h"
#include "pair_e3d.h"
#include "support/first_message.h"

#include "error.h"
#include "lammps.h"
#include "utils.h"

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace E3D {

/* The words of "cutoff C", of which arg[iarg] is the first one of C; iarg is moved behind them. */

inline std::vector<std::string> parse_cutoff(LAMMPS_NS::LAMMPS *lmp, const std::string &name, int narg,
                                             char **arg, int &iarg)
{
  const int count = iarg < narg ? BondCutoff::num_words(arg[iarg]) : 1;
  if (iarg + count > narg) LAMMPS_NS::utils::missing_cmd_args(FLERR, name + " cutoff", lmp->error);
  std::vector<std::string> words(arg + iarg, arg + iarg + count);
  iarg += count;
  return words;
}

/* Read "VALUES... [cutoff C]" from the words after the style name of a compute. known maps each
   word to what the compute calls it; cutoff_words is replaced where a cutoff is given. */

template <typename Value>
std::vector<Value> parse_compute_arguments(LAMMPS_NS::LAMMPS *lmp, const std::string &name, int narg,
                                           char **arg, const std::map<std::string, Value> &known,
                                           std::vector<std::string> &cutoff_words)
{
  std::vector<std::string> names;
  for (const auto &item : known) names.push_back(item.first);

  std::vector<Value> values;
  for (int iarg = 3; iarg < narg;) {
    const std::string word = arg[iarg++];
    if (word == "cutoff") {
      cutoff_words = parse_cutoff(lmp, name, narg, arg, iarg);
      continue;
    }
    const auto found = known.find(word);
    if (found == known.end())
      lmp->error->all(FLERR, "{}: unknown value '{}'; choose from: {}, and 'cutoff C'", name, word,
                      LAMMPS_NS::utils::join_words(names, " "));
    values.push_back(found->second);
  }
  if (values.empty())
    lmp->error->all(FLERR, "{}: give at least one value of: {}", name,
                    LAMMPS_NS::utils::join_words(names, " "));
  return values;
}

/* The squared bond cutoffs by LAMMPS type of a compute's "cutoff C" words. */

inline std::vector<double> bond_cutoffs(LAMMPS_NS::LAMMPS *lmp, const std::string &name,
                                        const LAMMPS_NS::PairE3D &pair,
                                        const std::vector<std::string> &cutoff_words)
{
  std::vector<double> cutsq;
  std::string message;
  try {
    cutsq = pair.bond_cutoffs_squared(BondCutoff(cutoff_words));
  } catch (const std::runtime_error &e) {
    message = e.what();
  }
  message = first_message(lmp->world, message);
  if (!message.empty()) lmp->error->all(FLERR, "{}: {}", name, message);
  return cutsq;
}

}    // namespace E3D

#endif
