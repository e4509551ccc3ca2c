/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#include "edges/chunked_evaluation.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <iterator>
#include <numeric>
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

  // x - x is 0, but NaN if x is NaN or infinite. Eight sums, which a compiler can keep in vectors

  bool all_finite(const double *x, int64_t n)
  {
    double sums[8] = {};
    int64_t k = 0;
    for (; k + 8 <= n; k += 8)
      for (int m = 0; m < 8; m++) sums[m] += x[k + m] - x[k + m];
    for (; k < n; k++) sums[0] += x[k] - x[k];
    return std::accumulate(std::begin(sums), std::end(sums), 0.0) == 0.0;
  }

  void require_numbers(const EdgeFrame &frame, const EdgeChunk &chunk, const ModelOutput &output)
  {
    if (all_finite(output.atomic_energy, chunk.num_rows) && all_finite(output.edge_energy, chunk.num_edges) &&
        all_finite(output.edge_forces, 3 * chunk.num_edges))
      return;
    for (int64_t row = chunk.first_row; row < chunk.first_row + chunk.num_rows; row++) {
      const int64_t e = frame.offset[row] - chunk.first_edge, n = frame.offset[row + 1] - frame.offset[row];
      if (!all_finite(output.atomic_energy + row - chunk.first_row, 1))
        throw NotANumber("the model returned an energy that is not a number", row);
      if (!all_finite(output.edge_energy + e, n))
        throw NotANumber("the model returned an energy of an edge that is not a number", row);
      if (!all_finite(output.edge_forces + 3 * e, 3 * n))
        throw NotANumber("the model returned a force that is not a number", row);
    }
  }

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
}

/* ---------------------------------------------------------------------- */

void ChunkedEvaluation::run(EdgeModel &model, const NeighborView &neighbors, const TypeTable &types,
                            const EdgeFrame &frame, const Receiver &receive)
{
  const ModelMetadata &metadata = model.metadata();
  const ChunkRules rules = {static_cast<int>(metadata.type_names.size()), metadata.r_max,
                            model.chunk_plan().form};
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
  if (run.rules.form == ChunkForm::RoundedSlots) edges = even_edges(run.frame, row, edges);
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
  require_numbers(run.frame, lanes_[lane], output);
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
  for (const EdgeChunk &chunk : lanes_) bytes += chunk.memory_usage();
  return bytes;
}

}    // namespace E3D
