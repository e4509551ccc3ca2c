/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_GROWING_FILE_H
#define E3D_GROWING_FILE_H

#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>

namespace E3D {

class WholeFile;

/* A text file that a run appends to: a header, whose last line begins with "columns", then rows that
   begin with the step. Every routine throws std::runtime_error with a message for the user.

   begin() and resume() replace what has the name (WholeFile), and rows go to the file that they made: no
   link is written through, though resume() reads the rows of the run before through one. */

class GrowingFile {
 public:
  GrowingFile() = default;
  ~GrowingFile() { close(); }
  GrowingFile(const GrowingFile &) = delete;
  GrowingFile &operator=(const GrowingFile &) = delete;

  bool is_open() const { return fp_ != nullptr; }
  const std::string &path() const { return path_; }

  // begin a new file, in place of one that may be there
  void begin(const std::string &path, const std::string &header);
  /* Go on with the file of a run that was restarted: its rows up to this step stay, later ones go, and
     so does a last line that is cut off. Begins a new file where there is none; refuses a file with
     another header. Returns the last row, empty if there is none. */
  std::string resume(const std::string &path, const std::string &header, int64_t step);

  void append(const std::string &rows);    // and flush
  void close();

 private:
  std::string path_;
  std::FILE *fp_ = nullptr;

  void replace(const std::string &path, const std::function<void(WholeFile &)> &fill);
};

}    // namespace E3D

#endif
