#include "evaluator.h"

#include "errors.h"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <new>
#include <sstream>

namespace e3d::engine {

std::int64_t end_of_batch(const std::int64_t *first, std::int64_t begin, std::int64_t end)
{
  const std::int64_t limit = std::min(end, begin + batch_centres);
  std::int64_t c = begin + 1;
  while (c < limit && first[c + 1] - first[begin] <= batch_edges) c++;
  return c;
}

void Evaluator::Scratch::Free::operator()(void *p) const { std::free(p); }

void *Evaluator::Scratch::reserve(std::size_t wanted)
{
  if (wanted > bytes) {
    memory.reset();
    bytes = 0;
    const std::size_t rounded = (wanted + 4095) / 4096 * 4096;
    memory.reset(std::aligned_alloc(4096, rounded));
    if (!memory) throw std::bad_alloc();
    bytes = rounded;
  }
  return memory.get();
}

Evaluator::Evaluator(std::shared_ptr<const Model> model, int threads) :
    model_(std::move(model)), pool_(std::max(1, threads)), scratch_(static_cast<std::size_t>(std::max(1, threads)))
{
}

template <typename Real>
KernelReport Evaluator::run_batch(const Pack<Real> &pack, const CentreBatch &centres, std::int64_t begin, std::int64_t end,
                                  Scratch &scratch)
{
  CentreBatch batch = centres;
  batch.centres = end - begin;
  batch.first += begin;
  batch.centre_type += begin;
  batch.energy += begin;
  const std::int64_t edges = batch.first[batch.centres] - batch.first[0];
  if (edges > scratch.edges || scratch.bytes == 0) scratch.edges = std::max(batch_edges, edges + edges / 4);
  const Kernel<Real> &kernel = kernel_of<Real>(model_->kernels());
  const auto numbers = kernel.scratch_size(pack.model(), scratch.edges, std::max(batch_centres, batch.centres));
  void *memory = scratch.reserve(static_cast<std::size_t>(numbers) * sizeof(Real));
  return kernel.run(pack.model(), batch, static_cast<Real *>(memory), scratch.edges, timed_ ? scratch.ticks.data() : nullptr);
}

KernelReport Evaluator::run_batch(const CentreBatch &centres, std::int64_t begin, std::int64_t end, Scratch &scratch)
{
  KernelReport report = model_->single_pack() ? run_batch(*model_->single_pack(), centres, begin, end, scratch)
                                              : run_batch(*model_->double_pack(), centres, begin, end, scratch);
  report.centre += begin;
  return report;
}

void Evaluator::evaluate(const CentreBatch &centres)
{
  if (centres.centres <= 0) return;
  // A thread takes a run of centres at a time; which one takes which does not matter for the numbers.
  const std::int64_t share = std::max<std::int64_t>(1, std::min<std::int64_t>(64, centres.centres / (8 * threads())));
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> failed{false};
  std::vector<KernelReport> reports(scratch_.size());
  std::vector<std::exception_ptr> errors(scratch_.size());
  pool_.run([&](int thread) {
    try {
      while (!failed) {
        const std::int64_t begin = next.fetch_add(share), end = std::min(begin + share, centres.centres);
        if (begin >= centres.centres) break;
        for (std::int64_t c = begin; c < end && !failed;) {
          const std::int64_t stop = end_of_batch(centres.first, c, end);
          reports[thread] = run_batch(centres, c, stop, scratch_[thread]);
          if (reports[thread].fault != EdgeFault::none) failed = true;
          c = stop;
        }
      }
    } catch (...) {
      errors[thread] = std::current_exception();
      failed = true;
    }
  });
  for (const std::exception_ptr &error : errors)
    if (error) std::rethrow_exception(error);
  for (const KernelReport &report : reports)
    if (report.fault != EdgeFault::none) fail(centres, report);
}

void Evaluator::fail(const CentreBatch &centres, const KernelReport &report) const
{
  const auto &names = model_->file().type_names;
  const int types = static_cast<int>(names.size());
  const std::int64_t e = report.edge, c = report.centre;
  std::ostringstream out;
  if (report.fault == EdgeFault::centre_type) {
    out << "centre " << c << " has the model type " << centres.centre_type[c] << ", expected 0 to " << types - 1;
    throw Error(out.str());
  }
  const int centre_type = centres.centre_type[c], neighbour_type = centres.neighbour_type[e];
  out << "edge " << e << " of centre " << c;
  if (report.fault == EdgeFault::neighbour_type) {
    out << " has a neighbour of the model type " << neighbour_type << ", expected 0 to " << types - 1;
    throw Error(out.str());
  }
  out << " (" << names[centre_type] << "-" << names[neighbour_type] << ")";
  const double *v = centres.vector + 3 * e;
  if (report.fault == EdgeFault::zero_length)
    out << " has length 0: two atoms are at the same place";
  else if (report.fault == EdgeFault::not_finite)
    out << " is (" << v[0] << ", " << v[1] << ", " << v[2] << "): a position is NaN or infinite";
  else
    out << ": this pair of types was not prepared; prepare all types that occur before evaluating";
  throw Error(out.str());
}

std::size_t Evaluator::bytes() const
{
  std::size_t sum = 0;
  for (const Scratch &scratch : scratch_) sum += scratch.bytes;
  return sum;
}

std::array<std::uint64_t, section_count> Evaluator::take_ticks()
{
  timed_ = true;
  std::array<std::uint64_t, section_count> out{};
  for (Scratch &scratch : scratch_) {
    for (int s = 0; s < section_count; s++) out[s] += scratch.ticks[s];
    scratch.ticks = {};
  }
  return out;
}

}    // namespace e3d::engine
