/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "support/growing_file.h"

#include "support/whole_file.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>

namespace E3D {

namespace {

  [[noreturn]] void fail(const std::string &path, const std::string &reason)
  {
    throw std::runtime_error("cannot write the file " + path + ": " + reason);
  }

}    // namespace

void GrowingFile::begin(const std::string &path, const std::string &header)
{
  replace(path, [&header](WholeFile &file) { file.write(header); });
}

std::string GrowingFile::resume(const std::string &path, const std::string &header, int64_t step)
{
  std::ifstream old(path);
  if (!old) {
    begin(path, header);
    return "";
  }
  std::string line, found, last;
  while (std::getline(old, line)) {
    found += line + "\n";
    if (line.compare(0, 8, "columns ") == 0) break;
  }
  if (found != header)
    throw std::runtime_error(
        "the restarted run cannot go on with the file " + path +
        ": it was not written with these settings (its first lines differ); give another "
        "file name, or the settings of the run before");

  replace(path, [&](WholeFile &file) {
    file.write(header);
    while (std::getline(old, line) && !old.eof()) {    // eof: no newline, the line was cut off
      if (std::strtoll(line.c_str(), nullptr, 10) > step) break;
      file.write(line + "\n");
      last = line;
    }
  });
  return last;
}

// The stream of the file that was written is kept: opened again by its name it might be another one.

void GrowingFile::replace(const std::string &path, const std::function<void(WholeFile &)> &fill)
{
  close();
  try {
    WholeFile file(path);
    fill(file);
    fp_ = file.commit_and_keep_open();
  } catch (const std::exception &e) {
    fail(path, e.what());
  }
  path_ = path;
}

void GrowingFile::append(const std::string &rows)
{
  if (std::fwrite(rows.data(), 1, rows.size(), fp_) != rows.size() || std::fflush(fp_) != 0)
    fail(path_, std::strerror(errno));
}

void GrowingFile::close()
{
  if (fp_) std::fclose(fp_);
  fp_ = nullptr;
}

}    // namespace E3D
