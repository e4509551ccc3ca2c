/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_WHOLE_FILE_H
#define E3D_WHOLE_FILE_H

#include "platform.h"
#include "utils.h"

#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>

#include <unistd.h>

/* Text files that a fix writes whole or not at all: under another name beside it, then renamed. Both
   routines return what went wrong, empty if nothing did. */

namespace E3D {

inline std::string temporary_name(const std::string &path)
{
  return LAMMPS_NS::platform::path_join(
      LAMMPS_NS::platform::path_dirname(path),
      "." + LAMMPS_NS::platform::path_basename(path) + "." + std::to_string(getpid()));
}

/* Try it before the run; leaves nothing behind. */

inline std::string why_not_writable(const std::string &path)
{
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return "it is a folder";
  const std::string partial = temporary_name(path);
  std::FILE *fp = std::fopen(partial.c_str(), "w");
  if (!fp) return LAMMPS_NS::utils::getsyserror();
  std::fclose(fp);
  LAMMPS_NS::platform::unlink(partial);
  return "";
}

inline std::string write_whole_file(const std::string &path, const std::string &text)
{
  const std::string partial = temporary_name(path);
  std::FILE *fp = std::fopen(partial.c_str(), "w");
  bool good = fp && std::fwrite(text.data(), 1, text.size(), fp) == text.size();
  if (fp) good = std::fclose(fp) == 0 && good;
  good = good && std::rename(partial.c_str(), path.c_str()) == 0;
  if (good) return "";
  const std::string problem = LAMMPS_NS::utils::getsyserror();
  LAMMPS_NS::platform::unlink(partial);
  return problem;
}

}    // namespace E3D

#endif
