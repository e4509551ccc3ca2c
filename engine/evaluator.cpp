#include "evaluator.h"

#include "errors.h"

#include <algorithm>
#include <exception>
#include <sstream>

namespace e3d::engine {

std::int64_t end_of_batch(const std::int64_t *first, std::int64_t begin, std::int64_t end)
{
  const std::int64_t limit = std::min(end, begin + batch_centres);
  std::int64_t c = begin + 1;
  while (c < limit && first[c + 1] - first[begin] <= batch_edges) c++;
  return c;
}

Evaluator::Evaluator(std::shared_ptr<const Model> model, int threads) :
    model_(std::move(model)), pool_(std::max(1, threads)),
    scratch_(static_cast<std::size_t>(std::max(1, threads)))
{
}

template <typename Real>
KernelScratch Evaluator::reserve(const Pack<Real> &pack, std::int64_t edges, Scratch &scratch) const
{
  if (edges > scratch.edges || !scratch.memory.get()) {
    edges = std::max(batch_edges, edges + edges / 4);
    scratch.memory = Memory();    // gives back first
    scratch.memory = Memory(static_cast<std::size_t>(
        kernel_of<Real>(model_->kernels()).scratch_size(pack.model(), edges, batch_centres)));
    scratch.edges = edges;
  }
  return {static_cast<unsigned char *>(scratch.memory.get()), scratch.edges, batch_centres};
}

// Centres begin to end - 1 on one thread, batch by batch; the edges of the next batch are looked at before
// one is run.
template <typename Real>
KernelReport Evaluator::run(const Pack<Real> &pack, const CentreBatch &centres, std::int64_t begin,
                            std::int64_t end, Scratch &scratch)
{
  const Kernel<Real> &kernel = kernel_of<Real>(model_->kernels());
  std::uint64_t *ticks = timed_ ? scratch.ticks.data() : nullptr;
  std::int64_t most = 0;
  for (std::int64_t c = begin; c < end; c = end_of_batch(centres.first, c, end))
    most = std::max(most, centres.first[end_of_batch(centres.first, c, end)] - centres.first[c]);
  const KernelScratch memory = reserve(pack, most, scratch);

  CentreBatch batch[2];
  const auto select = [&](std::int64_t from, int slot) {
    CentreBatch &b = batch[slot] = centres;
    b.centres = end_of_batch(centres.first, from, end) - from;
    b.first += from;
    b.centre_type += from;
    b.energy += from;
    KernelReport report = kernel.select(pack.model(), b, memory, slot, ticks);
    report.centre += from;
    return report;
  };
  KernelReport report = select(begin, 0);
  int slot = 0;
  for (std::int64_t c = begin; c < end && report.fault == EdgeFault::none; slot = 1 - slot) {
    c += batch[slot].centres;
    if (c < end) report = select(c, 1 - slot);
    if (report.fault == EdgeFault::none) kernel.run(pack.model(), batch[slot], memory, slot, c < end, ticks);
  }
  return report;
}

KernelReport Evaluator::run(const CentreBatch &centres, std::int64_t begin, std::int64_t end,
                            Scratch &scratch)
{
  return model_->single_pack() ? run(*model_->single_pack(), centres, begin, end, scratch)
                               : run(*model_->double_pack(), centres, begin, end, scratch);
}

void Evaluator::evaluate(const CentreBatch &centres)
{
  if (centres.centres <= 0) return;
  for (std::int64_t c = 0; c < centres.centres; c++)
    if (centres.first[c + 1] < centres.first[c])
      throw Error("the offsets of the edges fall from " + std::to_string(centres.first[c]) + " to " +
                  std::to_string(centres.first[c + 1]) + " at centre " + std::to_string(c));
  // A thread takes a run of centres at a time; which one takes which does not matter for the numbers.
  const std::int64_t share =
      std::max<std::int64_t>(1, std::min<std::int64_t>(64, centres.centres / (8 * threads())));
  std::atomic<std::int64_t> next{0};
  std::atomic<bool> failed{false};
  std::vector<KernelReport> reports(scratch_.size());
  std::vector<std::exception_ptr> errors(scratch_.size());
  pool_.run([&](int thread) {
    try {
      while (!failed) {
        const std::int64_t begin = next.fetch_add(share), end = std::min(begin + share, centres.centres);
        if (begin >= centres.centres) break;
        reports[thread] = run(centres, begin, end, scratch_[thread]);
        if (reports[thread].fault != EdgeFault::none) failed = true;
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
    out << "centre " << c << " has the model type " << centres.centre_type[c] << ", expected 0 to "
        << types - 1;
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
  for (const Scratch &scratch : scratch_) sum += scratch.memory.bytes();
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
