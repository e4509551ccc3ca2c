/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_KOKKOS_FACTS_H
#define E3D_KOKKOS_FACTS_H

#include <string>

namespace E3D {

/* What a LAMMPS with KOKKOS and a library of /kk styles must have in common: classes and arrays depend on it. */

struct KokkosFacts {
  std::string version;      // of LAMMPS, "4 Jul 2026"
  std::string precision;    // double, mixed, single
  std::string layout;       // legacy, default
  std::string kokkos;       // "5.2.2"
};

// those of a LAMMPS, from what Info::get_accelerator_info("KOKKOS") and 'lmp -h' say of it

inline KokkosFacts kokkos_facts(const std::string &version, const std::string &info)
{
  const auto after = [&info](const std::string &word) {
    const auto at = info.find(word);
    if (at == std::string::npos) return std::string();
    const auto first = info.find_first_not_of(' ', at + word.size());
    if (first == std::string::npos) return std::string();
    return info.substr(first, info.find_first_of(" \n", first) - first);
  };
  return {version, after("precision:"), after("layout:"), after("library version:")};
}

// in words, empty where there is none: "precision double where this LAMMPS has mixed"

inline std::string differences(const KokkosFacts &built_for, const KokkosFacts &runs)
{
  std::string all;
  const auto compare = [&all](const std::string &what, const std::string &built, const std::string &here) {
    if (built == here) return;
    if (!all.empty()) all += ", ";
    all +=
        what + " " + built + " where this LAMMPS has " + (here.empty() ? "one that it does not tell" : here);
  };
  compare("version", built_for.version, runs.version);
  compare("precision", built_for.precision, runs.precision);
  compare("view layout", built_for.layout, runs.layout);
  compare("Kokkos", built_for.kokkos, runs.kokkos);
  return all;
}

}    // namespace E3D

#endif
