/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_RECORD_FILES_H
#define E3D_RECORD_FILES_H

#include "support/npy_file.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace E3D {

/* The files of fix e3d/record, format e3d-record/1 (docs/formats.md): shards

     BASE.pPART.wWRITERofWRITERS.sSHARD.KIND.npy      rows of many frames
     BASE.pPART.wWRITERofWRITERS.sSHARD.frames.npy    which rows are those of which frame, and its box

   A run and each of its restarts are parts, counted from 1, like writers and shards. A frame is whole where all
   writers of its part have it. Every routine throws std::runtime_error with a message for the user. */

/* One row of .frames.npy. */

struct RecordedFrame {
  int64_t step;
  int64_t first, end;    // rows of the shard
  double cell[3][3];     // Angstrom, cell vectors in rows
  double origin[3];      // Angstrom
  int64_t pbc[3];        // 1 where periodic
};

/* What the rows of a record are. */

struct RecordedRows {
  std::string kind;     // "edges" or "bonds"
  std::string dtype;    // in numpy's words
  std::size_t size;     // bytes
};

/* What one writer writes. */

class RecordShards {
 public:
  // writer: from 1 on; a frame begins a new shard where the last one has so many bytes
  RecordShards(const std::string &base, int part, int writer, int writers, const RecordedRows &rows,
               int64_t shard_bytes);

  void begin_frame();
  void append(const void *rows, std::size_t bytes);
  void end_frame(RecordedFrame frame);    // first and end are filled in; the frame is whole from here on

  int64_t rows() const { return num_rows_; }
  int64_t bytes() const { return num_rows_ * static_cast<int64_t>(layout_.size); }
  int64_t files() const { return shard_; }    // of rows

 private:
  std::string prefix_;
  RecordedRows layout_;
  int64_t shard_bytes_, shard_ = 0, num_rows_ = 0, first_ = 0;
  std::unique_ptr<NpyFile> rows_, frames_;
};

/* A new run: what an earlier one with this base has left goes. */

void remove_record(const std::string &base);

/* A restarted run: frames of steps beyond that of the restart file, and pieces of frames, go. Returns the number of
   the next part. */

int resume_record(const std::string &base, const RecordedRows &rows, int64_t step);

/* A text in quotation marks, as JSON has it. */

std::string json_text(const std::string &text);

}    // namespace E3D

#endif
