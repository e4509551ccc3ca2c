/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "edges/chunked_evaluation.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

namespace E3D {

namespace {

  // the seconds since the last lap, or since it was made

  class StopWatch {
   public:
    double lap()
    {
      const auto now = Clock::now();
      return std::chrono::duration<double>(now - std::exchange(last_, now)).count();
    }

   private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point last_ = Clock::now();
  };

}    // namespace

/* ---------------------------------------------------------------------- */

void ChunkedEvaluation::set_chunk_centres(int64_t centres)
{
  chunk_centres_ = centres;
  largest_chunk_ = 0;
}

void ChunkedEvaluation::set_plan(const ChunkPlan &plan)
{
  lanes_.clear();
  for (int lane = 0; lane < plan.lanes; lane++) lanes_.emplace_back(plan.memory);
  rounded_ = plan.rounded;
}

/* ---------------------------------------------------------------------- */

void ChunkedEvaluation::run(EdgeModel &model, const NeighborView &neighbors, const TypeTable &types,
                            const EdgeFrame &frame, const Receiver &receive)
{
  const ModelMetadata &metadata = model.metadata();
  const ChunkRules rules = {static_cast<int>(metadata.type_names.size()), metadata.r_max, rounded_};
  Run run{model, neighbors, types, frame, receive, rules};
  const auto num_rows = static_cast<int64_t>(frame.rows());
  for (int64_t row = 0; row < num_rows;) {
    const int64_t rows = rows_of_chunk(run, row);
    if (run.under_way == lanes()) finish_oldest(run);
    start(run, row, rows);
    row += lanes_[run.next].num_rows;
    run.next = (run.next + 1) % lanes();
    run.under_way++;
  }
  while (run.under_way > 0) finish_oldest(run);

  const std::string remark = model.take_remark();
  if (!remark.empty()) remarks_.push_back(remark);
}

/* ---------------------------------------------------------------------- */

int64_t ChunkedEvaluation::rows_of_chunk(const Run &run, int64_t row)
{
  StopWatch watch;
  int64_t edges = run.model.auto_edges();
  if (rounded_) edges = even_edges(run.frame, row, edges);
  const int64_t rows = rows_in_chunk(run.frame, row, chunk_centres_, edges);
  seconds_.fill += watch.lap();
  return largest_chunk_ > 0 ? std::min(rows, largest_chunk_) : rows;
}

/* ----------------------------------------------------------------------
   start the next lane on these rows, or on fewer. Another try is made when nothing else is under way
------------------------------------------------------------------------- */

void ChunkedEvaluation::start(Run &run, int64_t row, int64_t rows)
{
  EdgeChunk &chunk = lanes_[run.next];
  bool shrunk = false;
  while (true) {
    StopWatch watch;
    try {
      fill_chunk(run.neighbors, run.types, run.rules, run.frame, row, rows, chunk);
      seconds_.fill += watch.lap();
      run.model.start(chunk, run.next);
      seconds_.model += watch.lap();
      break;
    } catch (const std::exception &e) {
      if (rows == 1) throw ModelFailure(e.what());
    }
    while (run.under_way > 0) finish_oldest(run);
    largest_chunk_ = rows /= 2;
    shrunk = true;
  }
  if (shrunk)
    remarks_.push_back(
        "the model failed on larger chunks, probably for want of memory; going on with 'chunk " +
        std::to_string(largest_chunk_) + "'");
}

/* ---------------------------------------------------------------------- */

void ChunkedEvaluation::finish_oldest(Run &run)
{
  const int lane = (run.next - run.under_way + lanes()) % lanes();
  StopWatch watch;
  ModelOutput output{};
  try {
    output = run.model.finish(lane);
  } catch (const std::exception &e) {
    throw ModelFailure(e.what());
  }
  run.under_way--;
  seconds_.copy += output.copy_seconds;
  seconds_.model += watch.lap() - output.copy_seconds;

  run.receive(lanes_[lane], output);
  seconds_.receive += watch.lap();
}

/* ---------------------------------------------------------------------- */

std::vector<std::string> ChunkedEvaluation::take_remarks()
{
  return std::exchange(remarks_, {});
}

double ChunkedEvaluation::memory_usage() const
{
  double bytes = 0.0;
  for (const EdgeChunk &chunk : lanes_)
    bytes += static_cast<double>(chunk.vectors.capacity()) * sizeof(double) +
        static_cast<double>(chunk.index.capacity() + chunk.types.capacity()) * sizeof(int64_t);
  return bytes;
}

}    // namespace E3D
