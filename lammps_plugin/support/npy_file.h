/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_NPY_FILE_H
#define E3D_NPY_FILE_H

#include <cstddef>
#include <cstdint>
#include <string>

namespace E3D {

/* A one-dimensional array of structures in numpy's format .npy (version 1.0), which grows. Its header has one
   length for all counts and is written again in one call, so that numpy.load() reads the rows of the last
   commit() at any time, also of a file whose writer was killed.

   Every routine throws std::runtime_error with the file's name and what the system says. */

class NpyFile {
 public:
  // a new file of rows of so many bytes, described in numpy's words, such as "[('step', '<i8')]". The name must
  // be free, and no link is written through
  NpyFile(const std::string &path, const std::string &dtype, std::size_t row_size);
  // one that is there, with the rows of its header; what lies behind them goes with the next commit()
  NpyFile(const std::string &path, std::size_t row_size);
  ~NpyFile();
  NpyFile(const NpyFile &) = delete;
  NpyFile &operator=(const NpyFile &) = delete;

  const std::string &path() const { return path_; }
  int64_t rows() const { return rows_; }               // in the file, those that are not committed included
  int64_t bytes() const { return end_; }               // of the file
  void append(const void *data, std::size_t bytes);    // where it fails, rows since commit() are cut off
  void read(int64_t first, int64_t count, void *data);    // rows
  void shorten(int64_t rows);                             // the first ones stay
  void commit();

 private:
  std::string path_, dtype_;
  std::size_t row_size_;
  std::size_t header_size_ = 0;
  int file_ = -1;
  int64_t rows_ = 0, committed_ = 0, end_ = 0;

  std::string header(int64_t rows) const;
  void parse_header();
  void write_at(const char *data, std::size_t bytes, int64_t at);
  void cut_off();
  [[noreturn]] void fail(const std::string &reason) const;
};

}    // namespace E3D

#endif
