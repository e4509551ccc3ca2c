/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef LMP_FIX_E3D_RECORD_H
#define LMP_FIX_E3D_RECORD_H

#include "fix.h"

#include "support/record_files.h"

#include <memory>
#include <string>
#include <vector>

namespace LAMMPS_NS {

class FixE3DRecord : public Fix {
 public:
  FixE3DRecord(class LAMMPS *, int, char **);
  ~FixE3DRecord() override;

  int setmask() override;
  void init() override;
  void setup(int) override;
  void end_of_step() override;
  void post_run() override;
  double compute_vector(int) override;
  double memory_usage() override;
  void write_restart(FILE *) override;
  void restart(char *) override;
  // not called; LAMMPS's own has the width of its ids in its symbol, and a plugin that refers to it
  // could not be loaded by a LAMMPS of other sizes to say so (plugin.cpp)
  void set_molecule(int, tagint, int, double *, double *, double *) override {}

 private:
  // settings

  std::string name;    // "fix ID e3d/record"
  std::string base;
  bool is_bonds = false;
  std::vector<std::string> cutoff_words;    // empty: the default of the kind of rows
  double fraction = 1.0;
  int writers_wanted = 0;    // 0: one for each node
  int64_t shard_bytes;
  E3D::RecordedRows layout;

  class PairE3D *pair = nullptr;
  std::vector<double> cutsq;    // (ntypes+1)^2, row = centre type
  int subscription = -1;        // bonds

  // who writes

  MPI_Comm group_ranks = MPI_COMM_NULL;    // those that share files
  bool is_writer = false;
  int writer = 0, num_writers = 0;
  std::unique_ptr<E3D::RecordShards> shards;    // of a writer
  std::vector<char> block;                      // rows on their way

  // the same on all ranks

  std::string settings;    // all that must be the same where a restart goes on; empty before the first init()
  std::string old_settings;    // of the restart file
  bigint restart_step = -1;
  bigint last_step = -1;    // recorded last
  bigint num_frames = 0, reported_frames = 0;
  double seconds = 0.0;

  class RowSink;

  void parse(int, char **);
  void begin();
  std::string about() const;
  void record();
  void put_edges(RowSink &);
  void put_bonds(RowSink &);
  void write_rows(const char *, std::size_t);
  std::vector<double> totals() const;
};

}    // namespace LAMMPS_NS

#endif
