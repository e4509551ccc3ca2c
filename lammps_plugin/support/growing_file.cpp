/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "support/growing_file.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include <unistd.h>

namespace E3D {

namespace {

  [[noreturn]] void fail(const std::string &path)
  {
    throw std::runtime_error("cannot write the file " + path + ": " + std::strerror(errno));
  }

  /* Written beside the file that it will replace; gone if it does not come to that. */

  class Replacement {
   public:
    explicit Replacement(const std::string &path) :
        path_(path), partial_(path + ".tmp" + std::to_string(getpid())), stream_(partial_)
    {
      if (!stream_) fail(path);
    }
    ~Replacement()
    {
      if (!done_) std::remove(partial_.c_str());
    }
    std::ofstream &stream() { return stream_; }
    void commit()
    {
      stream_.close();
      if (!stream_ || std::rename(partial_.c_str(), path_.c_str()) != 0) fail(path_);
      done_ = true;
    }

   private:
    std::string path_, partial_;
    std::ofstream stream_;
    bool done_ = false;
  };

}    // namespace

void GrowingFile::begin(const std::string &path, const std::string &header)
{
  Replacement replacement(path);
  replacement.stream() << header;
  replacement.commit();
  open(path);
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
    throw std::runtime_error("the restarted run cannot go on with the file " + path +
                             ": it was not written with these settings (its first lines differ); give another "
                             "file name, or the settings of the run before");

  Replacement replacement(path);
  replacement.stream() << header;
  while (std::getline(old, line) && !old.eof()) {    // eof: no newline, the line was cut off
    if (std::strtoll(line.c_str(), nullptr, 10) > step) break;
    replacement.stream() << line << "\n";
    last = line;
  }
  replacement.commit();
  open(path);
  return last;
}

void GrowingFile::open(const std::string &path)
{
  close();
  path_ = path;
  fp_ = std::fopen(path.c_str(), "a");
  if (!fp_) fail(path);
}

void GrowingFile::append(const std::string &rows)
{
  if (std::fwrite(rows.data(), 1, rows.size(), fp_) != rows.size() || std::fflush(fp_) != 0) fail(path_);
}

void GrowingFile::close()
{
  if (fp_) std::fclose(fp_);
  fp_ = nullptr;
}

}    // namespace E3D
