/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "support/npy_file.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace E3D {

namespace {

  // numpy.lib.format: a mark, two numbers of the version, the length of the text, the text
  constexpr char MARK[] = "\x93NUMPY\x01";    // and the zero at its end
  constexpr std::size_t BEFORE_TEXT = 10, ALIGNMENT = 64, MAX_HEADER = 4096;
  constexpr char SHAPE[] = "'shape': (";

}    // namespace

/* ---------------------------------------------------------------------- */

NpyFile::NpyFile(const std::string &path, const std::string &dtype, std::size_t row_size) :
    path_(path), dtype_(dtype), row_size_(row_size)
{
  const std::size_t longest = header(INT64_MAX).size();
  header_size_ = (longest + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (file_ < 0) fail(std::strerror(errno));
  end_ = static_cast<int64_t>(header_size_);
  try {
    write_at(header(0).data(), header_size_, 0);
  } catch (...) {
    ::close(file_);
    ::unlink(path.c_str());
    throw;
  }
}

NpyFile::NpyFile(const std::string &path, std::size_t row_size) : path_(path), row_size_(row_size)
{
  file_ = ::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  if (file_ < 0) fail(std::strerror(errno));
  try {
    parse_header();
  } catch (...) {
    ::close(file_);
    throw;
  }
}

NpyFile::~NpyFile()
{
  ::close(file_);
}

/* ---------------------------------------------------------------------- */

std::string NpyFile::header(int64_t rows) const
{
  std::string text =
      "{'descr': " + dtype_ + ", 'fortran_order': False, " + SHAPE + std::to_string(rows) + ",), }";
  if (BEFORE_TEXT + text.size() + 1 < header_size_) text.resize(header_size_ - BEFORE_TEXT - 1, ' ');
  text += '\n';
  std::string whole(MARK, sizeof(MARK));
  whole += static_cast<char>(text.size() & 0xff);
  whole += static_cast<char>(text.size() >> 8);
  return whole + text;
}

void NpyFile::parse_header()
{
  char start[MAX_HEADER];
  const ssize_t found = ::pread(file_, start, sizeof(start), 0);
  if (found < 0) fail(std::strerror(errno));
  const auto there = static_cast<std::size_t>(found);
  if (there < BEFORE_TEXT || std::memcmp(start, MARK, sizeof(MARK)) != 0) fail("it is no .npy file");
  const auto byte = [&](std::size_t k) {
    return static_cast<std::size_t>(static_cast<unsigned char>(start[k]));
  };
  header_size_ = BEFORE_TEXT + byte(8) + (byte(9) << 8);
  if (header_size_ > there) fail("its header is cut off");

  const std::string text(start + BEFORE_TEXT, header_size_ - BEFORE_TEXT);
  const auto shape = text.find(SHAPE), after = text.find(", 'fortran_order'");
  const std::string begin = "{'descr': ";
  if (shape == std::string::npos || after == std::string::npos || text.compare(0, begin.size(), begin) != 0)
    fail("its header is not the one of this plugin");
  dtype_ = text.substr(begin.size(), after - begin.size());
  committed_ = rows_ = std::strtoll(text.c_str() + shape + std::strlen(SHAPE), nullptr, 10);

  struct stat status;
  if (::fstat(file_, &status) != 0) fail(std::strerror(errno));
  const int64_t room = status.st_size - static_cast<int64_t>(header_size_);
  if (rows_ < 0 || rows_ > room / static_cast<int64_t>(row_size_)) fail("rows of its header are not there");
  end_ = static_cast<int64_t>(header_size_ + rows_ * row_size_);
}

/* ---------------------------------------------------------------------- */

void NpyFile::write_at(const char *data, std::size_t bytes, int64_t at)
{
  while (bytes > 0) {
    const ssize_t written = ::pwrite(file_, data, bytes, at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail(written < 0 ? std::strerror(errno) : "nothing more is written");
    data += written;
    at += written;
    bytes -= static_cast<std::size_t>(written);
  }
}

void NpyFile::append(const void *data, std::size_t bytes)
{
  try {
    write_at(static_cast<const char *>(data), bytes, end_);
  } catch (...) {
    cut_off();    // which also makes room for what else the run has to write
    throw;
  }
  end_ += static_cast<int64_t>(bytes);
  rows_ += static_cast<int64_t>(bytes / row_size_);
}

void NpyFile::read(int64_t first, int64_t count, void *data)
{
  auto *to = static_cast<char *>(data);
  auto at = static_cast<int64_t>(header_size_ + first * row_size_);
  auto left = static_cast<std::size_t>(count) * row_size_;
  while (left > 0) {
    const ssize_t got = ::pread(file_, to, left, at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail(got < 0 ? std::strerror(errno) : "it is cut off");
    to += got;
    at += got;
    left -= static_cast<std::size_t>(got);
  }
}

void NpyFile::shorten(int64_t rows)
{
  rows_ = rows;
  end_ = static_cast<int64_t>(header_size_ + rows * row_size_);
  commit();
  if (::ftruncate(file_, end_) != 0) fail(std::strerror(errno));
}

void NpyFile::commit()
{
  write_at(header(rows_).data(), header_size_, 0);
  committed_ = rows_;
}

void NpyFile::cut_off()
{
  rows_ = committed_;
  end_ = static_cast<int64_t>(header_size_ + rows_ * row_size_);
  const int ignored = ::ftruncate(file_, end_);    // rows behind the header's do no harm
  static_cast<void>(ignored);
}

void NpyFile::fail(const std::string &reason) const
{
  throw std::runtime_error("cannot write " + path_ + ": " + reason);
}

}    // namespace E3D
