/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef E3D_CHUNKED_EVALUATION_H
#define E3D_CHUNKED_EVALUATION_H

#include "edges/edge_list.h"
#include "model/edge_model.h"

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace E3D {

/* A model failed on a chunk that cannot be made smaller, or where it said that this is final. */

class ModelFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/* What a model returned is NaN or infinite. */

class NotANumber : public ModelFailure {
 public:
  NotANumber(const std::string &message, int64_t row_of_frame) : ModelFailure(message), row(row_of_frame) {}

  const int64_t row;    // of the frame: the first centre that it is true of
};

/* Wall seconds of evaluations. */

struct EvaluationSeconds {
  double fill = 0.0;    // chunks from neighbour lists
  double copy = 0.0;    // to and from a device
  double model = 0.0;
  double receive = 0.0;    // by the receiver
};

/* Runs a model on all edges of a frame, some centres at a time.

   A chunk holds as many edges as the model asks for, or a given number of centres. As many chunks are under way
   as the model has lanes. A chunk that fails is tried again at half its size, and so are all that follow, in
   later evaluations too: memory that does not suffice ends no run, as long as a single centre fits. (Why a
   compiled model failed is not told; an error of another kind fails at any size.)

   What a chunk holds is the business of fill_chunk() and of the model: here its rows count. */

class ChunkedEvaluation {
 public:
  // one chunk and what the model says of it: energies in eV, in the order of the chunk's rows and edges
  using Receiver = std::function<void(const EdgeChunk &, const ModelOutput &)>;

  ChunkedEvaluation() { set_plan(ChunkPlan()); }

  // chunks of this many centres, 0: as many as stay within the edges that the model asks for. What was
  // found out about the memory is forgotten
  void set_chunk_centres(int64_t centres);
  int64_t chunk_centres() const { return chunk_centres_; }

  // buffers for the chunks that may be under way at once. All models that run() takes want the same; only the form
  // may be another
  void set_plan(const ChunkPlan &plan);
  int lanes() const { return static_cast<int>(lanes_.size()); }

  // run the model on all rows of the frame; chunks are received in their order, finite numbers only. Throws
  // ModelFailure or NotANumber, and what the receiver throws
  void run(EdgeModel &model, const NeighborView &neighbors, const TypeTable &types, const EdgeFrame &frame,
           const Receiver &receive);

  // what the last run() has to tell the user; each is told once
  std::vector<std::string> take_remarks();

  const EvaluationSeconds &seconds() const { return seconds_; }
  void reset_seconds() { seconds_ = EvaluationSeconds(); }
  double memory_usage() const;

 private:
  // one run(): its arguments, the lane that is started next, and how many before it are under way

  struct Run {
    EdgeModel &model;
    const NeighborView &neighbors;
    const TypeTable &types;
    const EdgeFrame &frame;
    const Receiver &receive;
    ChunkRules rules;
    int next = 0, under_way = 0;
  };

  int64_t chunk_centres_ = 0;
  int64_t largest_chunk_ = 0;    // centres that memory was found to suffice for, 0: no limit was met
  std::vector<EdgeChunk> lanes_;
  std::vector<std::string> remarks_;
  EvaluationSeconds seconds_;

  int64_t rows_of_chunk(const Run &run, int64_t row);
  void start(Run &run, int64_t row, int64_t rows);
  void finish_oldest(Run &run);
};

}    // namespace E3D

#endif
