/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "support/whole_file.h"

#include <cerrno>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace E3D {

namespace {

  // A killed process may have left its file, and another node may have a process of this number.
  constexpr int MAX_NAMES = 1000;

  [[noreturn]] void fail()
  {
    throw std::runtime_error(std::strerror(errno));
  }

  // the k-th temporary name of a file: hidden, beside it

  std::string temporary_name(const std::string &path, int k)
  {
    const auto base = path.rfind('/') + 1;    // 0 where there is no slash
    return path.substr(0, base) + "." + path.substr(base) + "." + std::to_string(getpid()) +
        (k ? "-" + std::to_string(k) : "");
  }

}    // namespace

/* ---------------------------------------------------------------------- */

WholeFile::WholeFile(const std::string &path) : path_(path)
{
  int file = -1;
  for (int k = 0; file < 0; k++) {
    partial_ = temporary_name(path, k);
    file = ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (file < 0 && (errno != EEXIST || k == MAX_NAMES)) fail();
  }
  fp_ = ::fdopen(file, "a");
  if (fp_) return;
  const int reason = errno;
  ::close(file);
  ::unlink(partial_.c_str());
  errno = reason;
  fail();
}

WholeFile::~WholeFile()
{
  if (fp_) std::fclose(fp_);
  if (!partial_.empty()) ::unlink(partial_.c_str());
}

/* ---------------------------------------------------------------------- */

void WholeFile::write(const std::string &text)
{
  if (std::fwrite(text.data(), 1, text.size(), fp_) != text.size()) fail();
}

void WholeFile::rename()
{
  if (std::rename(partial_.c_str(), path_.c_str()) != 0) fail();
  partial_.clear();
}

void WholeFile::commit()
{
  if (std::fclose(std::exchange(fp_, nullptr)) != 0) fail();
  rename();
}

std::FILE *WholeFile::commit_and_keep_open()
{
  if (std::fflush(fp_) != 0) fail();
  rename();
  return std::exchange(fp_, nullptr);
}

/* ---------------------------------------------------------------------- */

std::string why_not_writable(const std::string &path)
{
  struct stat status;
  if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return "it is a folder";
  try {
    const WholeFile trial(path);
  } catch (const std::exception &e) {
    return e.what();
  }
  return "";
}

std::string write_whole_file(const std::string &path, const std::string &text)
{
  try {
    WholeFile file(path);
    file.write(text);
    file.commit();
  } catch (const std::exception &e) {
    return e.what();
  }
  return "";
}

}    // namespace E3D
