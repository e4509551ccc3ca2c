/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "model/torch/model_metadata.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <sstream>
#include <stdexcept>

#include <sys/utsname.h>

namespace E3D {

namespace {

  constexpr const char *CONTRACT = "e3d/1";

  std::vector<std::string> words(const std::string &text)
  {
    std::istringstream stream(text);
    std::vector<std::string> result;
    for (std::string word; stream >> word;) result.push_back(word);
    return result;
  }

  std::vector<double> numbers(const Strings &strings, const std::string &key)
  {
    std::vector<double> result;
    for (const auto &word : words(strings.at(key))) {
      std::size_t used = 0;
      double value = 0.0;
      try {
        value = std::stod(word, &used);
      } catch (const std::exception &) {
        used = 0;
      }
      if (used != word.size() || !std::isfinite(value))
        throw std::runtime_error("its metadata has '" + word + "' in '" + key +
                                 "' where a number belongs: write the file again with 'e3d export'");
      result.push_back(value);
    }
    return result;
  }

  // whether this processor has an instruction set, by inductor's name for it (torch/_inductor/cpu_vec_isa.py)

  bool has_instructions(const std::string &name)
  {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (name == "avx2") return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (name == "avx512")
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
          __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    if (name == "avx512_vnni") return __builtin_cpu_supports("avx512vnni");
#if __GNUC__ >= 11 && !defined(__clang__)    // older compilers do not know the word
    if (name == "amx_tile") return __builtin_cpu_supports("amx-tile");
#endif
    return name == "invalid_vec_isa" || name == "amx_tile";
#else
    return name.compare(0, 3, "avx") != 0;
#endif
  }

}    // namespace

ModelMetadata parse_metadata(const Strings &strings)
{
  if (!strings.count("contract") || strings.at("contract").empty())
    throw std::runtime_error("it has no e3d contract in its metadata (a model compiled for another "
                             "pair style?): write it with 'e3d export MODEL OUT.nequip.pt2'");
  if (strings.at("contract") != CONTRACT)
    throw std::runtime_error("its contract is '" + strings.at("contract") + "', this plugin reads '" +
                             CONTRACT + "': write it again with this version's 'e3d export'");
  for (const char *key : METADATA_KEYS)
    if (!strings.count(key) || strings.at(key).empty())
      throw std::runtime_error(std::string("its metadata lacks '") + key +
                               "': write it again with 'e3d export'");

  ModelMetadata m;
  m.type_names = words(strings.at("type_names"));
  m.type_elements = words(strings.at("type_elements"));
  m.cutoffs = numbers(strings, "cutoffs");
  m.shifts = numbers(strings, "shifts");
  m.decomposition = strings.at("decomposition");
  m.model_dtype = strings.at("model_dtype");
  m.engine = strings.at("engine");
  m.torch_version = strings.at("torch_version");
  m.source_sha256 = strings.at("source_sha256");

  const auto r_max = numbers(strings, "r_max");
  const std::size_t ntypes = m.type_names.size();
  if (r_max.size() != 1 || ntypes == 0 || m.type_elements.size() != ntypes || m.shifts.size() != ntypes ||
      m.cutoffs.size() != ntypes * ntypes)
    throw std::runtime_error("the lengths of type_names, type_elements, shifts and cutoffs in its "
                             "metadata do not fit each other: write it again with 'e3d export'");
  m.r_max = r_max[0];
  for (const double c : m.cutoffs)
    if (c <= 0.0 || c > m.r_max * (1.0 + 1e-12))
      throw std::runtime_error("a cutoff in its metadata is not within 0 and r_max: write it again "
                               "with 'e3d export'");
  return m;
}

void require_processor(const Strings &strings)
{
  const auto value = [&strings](const char *key) {
    const auto found = strings.find(key);
    return found == strings.end() ? std::string() : found->second;
  };
  const char *advice =
      ": compile it here with 'e3d export', or use a .safetensors file, which runs everywhere";
  const std::string machine = value("AOTI_MACHINE");
  utsname here;
  if (!machine.empty() && uname(&here) == 0 && machine != here.machine)
    throw std::runtime_error("it was compiled on " + machine + " and this is " + here.machine + advice);
  std::string names = value("AOTI_CPU_ISA");
  std::transform(names.begin(), names.end(), names.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const auto &name : words(names))
    if (!has_instructions(name))
      throw std::runtime_error("it was compiled for processors with " + name + ", and this one has none" +
                               advice);
}

}    // namespace E3D
