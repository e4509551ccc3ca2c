/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_WHOLE_FILE_H
#define E3D_WHOLE_FILE_H

#include <cstdio>
#include <string>

namespace E3D {

/* A text file that is written whole or not at all: under another name beside it, then renamed. No link is
   written through: the other name must be new, and a link that has the file's name is replaced.

   Every routine throws std::runtime_error with what the system says, such as "Permission denied". */

class WholeFile {
 public:
  explicit WholeFile(const std::string &path);
  ~WholeFile();    // nothing is left behind unless it was committed
  WholeFile(const WholeFile &) = delete;
  WholeFile &operator=(const WholeFile &) = delete;

  void write(const std::string &text);

  // give it its name
  void commit();
  // the same, and go on writing to its end: the stream is the caller's
  std::FILE *commit_and_keep_open();

 private:
  std::string path_, partial_;
  std::FILE *fp_ = nullptr;

  void rename();
};

/* What goes wrong with writing a file, empty if nothing does. The first one tries it before the run, and
   leaves nothing behind. */

std::string why_not_writable(const std::string &path);
std::string write_whole_file(const std::string &path, const std::string &text);

}    // namespace E3D

#endif
