// Energies and forces of any number of centres: cut into batches, and spread over threads.
#ifndef E3D_ENGINE_EVALUATOR_H
#define E3D_ENGINE_EVALUATOR_H

#include "kernels/kernel.h"
#include "memory.h"
#include "model.h"
#include "thread_pool.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace e3d::engine {

// The first centres from `begin` on whose edges go together: as many as have `batch_edges` edges at most, one
// at least.
std::int64_t end_of_batch(const std::int64_t *first, std::int64_t begin, std::int64_t end);

constexpr std::int64_t batch_edges = 64, batch_centres = 16;

class Evaluator {
 public:
  // Keeps the model alive. One evaluator serves one caller at a time; several may share a model.
  Evaluator(std::shared_ptr<const Model> model, int threads);

  const Model &model() const { return *model_; }
  int threads() const { return pool_.threads(); }

  // Fills energy, and edge_energy and edge_force where they are not null. Throws Error, which names the edge,
  // at the first one that cannot be: the arrays then hold anything. A centre's results depend on its own
  // edges and their order alone.
  void evaluate(const CentreBatch &centres);

  std::size_t bytes() const;

  // Cycles spent in each section since the last call of this, all threads together; counted from the first
  // call on.
  std::array<std::uint64_t, section_count> take_ticks();

 private:
  struct Scratch {
    Memory memory;
    std::int64_t edges = 0;    // that it was made for
    std::array<std::uint64_t, section_count> ticks{};
  };

  std::shared_ptr<const Model> model_;
  ThreadPool pool_;
  std::vector<Scratch> scratch_;
  bool timed_ = false;

  KernelReport run(const CentreBatch &centres, std::int64_t begin, std::int64_t end, Scratch &scratch);
  template <typename Real>
  KernelReport run(const Pack<Real> &pack, const CentreBatch &centres, std::int64_t begin, std::int64_t end,
                   Scratch &scratch);
  template <typename Real>
  KernelScratch reserve(const Pack<Real> &pack, std::int64_t edges, Scratch &scratch) const;
  [[noreturn]] void fail(const CentreBatch &centres, const KernelReport &report) const;
};

}    // namespace e3d::engine

#endif
