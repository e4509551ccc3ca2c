// A model on some centres at a time: lanes, sizes of chunks, memory that does not suffice, remarks.
#include "check.h"
#include "edges/chain.h"
#include "edges/chunked_evaluation.h"
#include "model/padded_shape.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>
#include <utility>

using namespace E3D;

namespace {

// epsilon of an edge is x + 10 x^2, that of its centre 1 more than their sum. Works when it must be finished,
// as a device may: a chunk that was changed in between gives other numbers.

class FakeModel : public EdgeModel {
 public:
  explicit FakeModel(int lanes = 1, bool rounded = false) : started_(lanes, nullptr)
  {
    plan.lanes = lanes;
    plan.form = rounded ? ChunkForm::RoundedSlots : ChunkForm::Slots;
    metadata_.type_names = metadata_.type_elements = {"C"};
    metadata_.r_max = 2.5;
    metadata_.cutoffs = {2.5};
  }

  ChunkPlan plan;
  int64_t edges_wanted = 1000000;
  int64_t most_rows = 1000000;    // start() fails on more, as for want of memory
  int fails_to_finish = -1;       // the number of the call of finish() that fails
  int spoilt_output = -1;         // 0 energy, 1 energies of edges, 2 forces: one of row 7 is `spoilt`
  double spoilt = NAN;
  std::string remark;
  std::vector<int64_t> sizes;    // rows of each chunk that was started
  std::vector<int> lanes_started;
  std::vector<std::pair<int64_t, int64_t>> shapes;
  int failures = 0, calls_of_finish = 0, under_way = 0, most_under_way = 0;
  bool failed_beside_others = false;

  const ModelMetadata &metadata() const override { return metadata_; }
  std::string device() const override { return "cpu"; }
  ChunkPlan chunk_plan() const override { return plan; }
  int64_t auto_edges() const override { return edges_wanted; }

  void start(const EdgeChunk &chunk, int lane) override
  {
    CHECK(!started_.at(lane));
    if (std::exchange(is_another_try_, false)) CHECK_EQUAL(under_way, 0);    // it has all the memory
    if (chunk.num_rows > most_rows) {
      failures++;
      failed_beside_others = under_way > 0;
      is_another_try_ = true;
      throw std::runtime_error("no memory for " + std::to_string(chunk.num_rows));
    }
    started_[lane] = &chunk;
    sizes.push_back(chunk.num_rows);
    lanes_started.push_back(lane);
    shapes.emplace_back(chunk.num_padded, chunk.num_slots);
    most_under_way = std::max(most_under_way, ++under_way);
  }

  ModelOutput finish(int lane) override
  {
    if (calls_of_finish++ == fails_to_finish) throw std::runtime_error("the device is gone");
    const EdgeChunk *chunk = std::exchange(started_.at(lane), nullptr);
    CHECK(chunk);
    under_way--;
    energy_.assign(chunk->num_rows, 1.0);
    eps_.clear();
    g_.assign(3 * chunk->num_edges, 0.0);
    for (int64_t e = 0; e < chunk->num_edges; e++) {
      const double x = chunk->vectors[3 * e];
      eps_.push_back(x + 10.0 * x * x);
      g_[3 * e] = 1.0 + 20.0 * x;
      energy_[chunk->index[e]] += eps_[e];
    }
    for (int64_t c = 0; c < chunk->num_rows; c++) {
      if (chunk->first_row + c != 7) continue;
      const auto edge = std::find(chunk->index.data(), chunk->index.data() + chunk->num_edges, c) -
          chunk->index.data() + 3;    // the last one
      if (spoilt_output == 0) energy_[c] = spoilt;
      if (spoilt_output == 1) eps_[edge] = spoilt;
      if (spoilt_output == 2) g_[3 * edge + 1] = spoilt;
    }
    return {energy_.data(), eps_.data(), g_.data(), 0.0};
  }

  std::string take_remark() override { return std::exchange(remark, ""); }
  void forget_what_is_under_way()
  {
    std::fill(started_.begin(), started_.end(), nullptr);
    under_way = 0;
  }

 private:
  bool is_another_try_ = false;
  ModelMetadata metadata_;
  std::vector<const EdgeChunk *> started_;
  std::vector<double> energy_, eps_, g_;
};

// atoms of one type, each with its neighbours at 1 and 2 Angstrom, and what a receiver is given

struct System {
  explicit System(int atoms) : chain(std::vector<int>(atoms, 1)), types({-1, 0}, {2.5})
  {
    find_edges(chain.view(), types, frame);
  }

  void run(ChunkedEvaluation &evaluation, EdgeModel &model)
  {
    next_row = 0;
    frame.eps.assign(frame.edges(), NAN);
    frame.energy.assign(frame.rows(), NAN);
    evaluation.run(model, chain.view(), types, frame,
                   [this](const EdgeChunk &chunk, const ModelOutput &output) {
                     CHECK_EQUAL(chunk.first_row, next_row);
                     CHECK_EQUAL(chunk.first_edge, frame.offset[chunk.first_row]);
                     next_row += chunk.num_rows;
                     std::copy_n(output.atomic_energy, chunk.num_rows, &frame.energy[chunk.first_row]);
                     std::copy_n(output.edge_energy, chunk.num_edges, &frame.eps[chunk.first_edge]);
                   });
    check();
  }

  void check() const
  {
    CHECK_EQUAL(next_row, static_cast<int64_t>(frame.rows()));
    for (std::size_t row = 0; row < frame.rows(); row++) {
      double sum = 1.0;
      for (int64_t e = frame.offset[row]; e < frame.offset[row + 1]; e++) {
        const double x = frame.neighbour[e] - frame.centre[row];
        CHECK_EQUAL(frame.eps[e], x + 10.0 * x * x);
        sum += frame.eps[e];
      }
      CHECK_EQUAL(frame.energy[row], sum);
    }
  }

  Chain chain;
  TypeTable types;
  EdgeFrame frame;
  int64_t next_row = 0;
};

void test_every_row_once_and_in_order()
{
  System system(50);
  for (const int lanes : {1, 2, 3, 5})
    for (const bool rounded : {false, true})
      for (const int64_t centres : {0, 1, 7, 49, 50, 51}) {
        FakeModel model(lanes, rounded);
        ChunkedEvaluation evaluation;
        evaluation.set_chunk_centres(centres);
        evaluation.set_plan(model.chunk_plan());
        CHECK_EQUAL(evaluation.lanes(), lanes);
        for (int repeat = 0; repeat < 2; repeat++) system.run(evaluation, model);
        const int64_t largest = centres == 0 ? 50 : std::min<int64_t>(centres, 50);
        CHECK_EQUAL(model.sizes.size(), static_cast<std::size_t>(2 * ((50 + largest - 1) / largest)));
        CHECK_EQUAL(*std::max_element(model.sizes.begin(), model.sizes.end()), largest);
        CHECK(evaluation.take_remarks().empty());
      }
}

void test_lanes_take_turns()
{
  System system(10);
  FakeModel model(3);
  ChunkedEvaluation evaluation;
  evaluation.set_chunk_centres(1);
  evaluation.set_plan(model.chunk_plan());
  system.run(evaluation, model);
  for (int k = 0; k < 10; k++) CHECK_EQUAL(model.lanes_started[k], k % 3);
  CHECK_EQUAL(model.most_under_way, 3);
  CHECK_EQUAL(model.under_way, 0);
}

void test_as_many_edges_as_the_model_asks_for()
{
  System system(100);    // 4 edges each, fewer at the ends: 394
  FakeModel model;
  model.edges_wanted = 100;
  ChunkedEvaluation evaluation;
  system.run(evaluation, model);
  CHECK(model.sizes == std::vector<int64_t>({25, 25, 25, 25}));    // 97, 100, 100, 97 edges
  model.edges_wanted = 1;
  model.sizes.clear();
  system.run(evaluation, model);
  CHECK_EQUAL(model.sizes.size(), 100u);    // one centre at least

  // rounded chunks are of about the same size and so of few shapes
  FakeModel device(2, true);
  device.edges_wanted = 150;
  evaluation.set_plan(device.chunk_plan());
  system.run(evaluation, device);
  const auto [smallest, largest] = std::minmax_element(device.sizes.begin(), device.sizes.end());
  CHECK_EQUAL(device.sizes.size(), 3u);
  CHECK(*largest - *smallest <= 1);
  CHECK(std::set(device.shapes.begin(), device.shapes.end()).size() <= 2);
  for (const auto &[edges, slots] : device.shapes) CHECK_EQUAL(rounded_up(edges, 16), edges);
}

void test_chunks_shrink_where_memory_ends()
{
  for (const int lanes : {1, 3}) {
    System system(80);
    FakeModel model(lanes);
    model.most_rows = 9;
    ChunkedEvaluation evaluation;
    evaluation.set_chunk_centres(20);
    evaluation.set_plan(model.chunk_plan());
    system.run(evaluation, model);
    CHECK_EQUAL(model.failures, 2);    // 20, 10
    for (const int64_t size : model.sizes) CHECK_EQUAL(size, 5);
    const auto remarks = evaluation.take_remarks();
    CHECK(remarks ==
          std::vector<std::string>(
              {"the model failed on larger chunks, probably for want of memory; going on with 'chunk 5'"}));
    CHECK(evaluation.take_remarks().empty());

    // it is known from then on
    system.run(evaluation, model);
    CHECK_EQUAL(model.failures, 2);
    CHECK(evaluation.take_remarks().empty());

    model.sizes.clear();
    model.most_rows = 1000000;
    evaluation.set_chunk_centres(8);    // forgets it
    system.run(evaluation, model);
    for (const int64_t size : model.sizes) CHECK_EQUAL(size, 8);
  }
}

// fails on the tenth chunk, when others are under way

class TiredModel : public FakeModel {
 public:
  using FakeModel::FakeModel;
  void start(const EdgeChunk &chunk, int lane) override
  {
    if (sizes.size() == 9) most_rows = 2;
    FakeModel::start(chunk, lane);
  }
};

void test_chunks_under_way_are_finished_before_another_try()
{
  System system(60);
  TiredModel model(3);
  ChunkedEvaluation evaluation;
  evaluation.set_chunk_centres(4);
  evaluation.set_plan(model.chunk_plan());
  system.run(evaluation, model);
  CHECK_EQUAL(model.failures, 1);
  CHECK(model.failed_beside_others);
  CHECK_EQUAL(model.sizes[8], 4);
  CHECK_EQUAL(model.sizes[9], 2);
  CHECK_EQUAL(model.sizes.back(), 2);
  CHECK_EQUAL(evaluation.take_remarks().size(), 1u);
}

void test_failures_that_are_final()
{
  System system(10);
  FakeModel model(2);
  model.most_rows = 0;
  ChunkedEvaluation evaluation;
  evaluation.set_plan(model.chunk_plan());
  bool failed = false;
  try {
    system.run(evaluation, model);
  } catch (const ModelFailure &e) {
    failed = std::string(e.what()) == "no memory for 1";
  }
  CHECK(failed);

  model.most_rows = 10;
  model.fails_to_finish = 1;
  evaluation.set_chunk_centres(2);
  failed = false;
  try {
    system.run(evaluation, model);
  } catch (const ModelFailure &e) {
    failed = std::string(e.what()) == "the device is gone";
  }
  CHECK(failed);

  model.forget_what_is_under_way();
  model.fails_to_finish = -1;
  system.run(evaluation, model);    // the evaluation itself is as before
}

void test_numbers_that_are_none_are_never_received()
{
  const char *expected[] = {"an energy that is not", "an energy of an edge that is not",
                            "a force that is not"};
  System system(20);
  for (int output = 0; output < 3; output++)
    for (const double spoilt : {std::nan(""), HUGE_VAL, -HUGE_VAL})
      for (const int64_t centres : {0, 1, 5}) {
        FakeModel model;
        model.spoilt_output = output;
        model.spoilt = spoilt;
        ChunkedEvaluation evaluation;
        evaluation.set_chunk_centres(centres);
        int64_t row = -1;
        try {
          system.run(evaluation, model);
        } catch (const NotANumber &e) {
          row = e.row;
          CHECK(std::string(e.what()).find(expected[output]) != std::string::npos);
        }
        CHECK_EQUAL(row, 7);
        CHECK(system.next_row <= 7);
      }
}

void test_models_may_take_chunks_of_another_form()
{
  System system(20);
  FakeModel slots;
  ChunkedEvaluation evaluation;
  system.run(evaluation, slots);

  class ByCentres : public FakeModel {
   public:
    ByCentres() { plan.form = ChunkForm::Centres; }
    void start(const EdgeChunk &chunk, int /*lane*/) override { chunk_ = &chunk; }
    ModelOutput finish(int /*lane*/) override
    {
      energy_.assign(chunk_->num_rows, 1.0);
      eps_.assign(chunk_->num_edges, 0.0);
      g_.assign(3 * chunk_->num_edges, 0.0);
      for (int64_t c = 0; c < chunk_->num_rows; c++)
        for (int64_t e = chunk_->first[c]; e < chunk_->first[c + 1]; e++) {
          const double x = chunk_->vectors[3 * e];
          energy_[c] += eps_[e] = x + 10.0 * x * x;
        }
      return {energy_.data(), eps_.data(), g_.data(), 0.0};
    }

   private:
    const EdgeChunk *chunk_ = nullptr;
    std::vector<double> energy_, eps_, g_;
  } centres;
  system.run(evaluation, centres);    // and the same energies come of it
  system.run(evaluation, slots);
}

void test_what_a_receiver_throws_comes_through()
{
  System system(10);
  FakeModel model;
  ChunkedEvaluation evaluation;
  bool is_the_same = false;
  try {
    evaluation.run(model, system.chain.view(), system.types, system.frame,
                   [](const EdgeChunk &, const ModelOutput &) { throw std::domain_error("not a number"); });
  } catch (const ModelFailure &) {
  } catch (const std::domain_error &) {
    is_the_same = true;
  }
  CHECK(is_the_same);
}

void test_remarks_are_told_once()
{
  System system(10), empty(0);
  FakeModel model;
  ChunkedEvaluation evaluation;
  model.remark = "matrix products in TF32";
  system.run(evaluation, model);
  CHECK(evaluation.take_remarks() == std::vector<std::string>({"matrix products in TF32"}));
  system.run(evaluation, model);
  CHECK(evaluation.take_remarks().empty());

  model.sizes.clear();
  model.remark = "of a rank without atoms";
  empty.run(evaluation, model);
  CHECK(evaluation.take_remarks() == std::vector<std::string>({"of a rank without atoms"}));
  CHECK(model.sizes.empty());
}

int blocks = 0;

void test_buffers_are_of_the_memory_that_the_plan_names()
{
  System system(10);
  FakeModel model(2);
  model.plan.memory = {[](std::size_t bytes) {
                         blocks++;
                         return std::malloc(bytes);
                       },
                       [](void *memory) {
                         blocks--;
                         std::free(memory);
                       }};
  {
    ChunkedEvaluation evaluation;
    CHECK_EQUAL(evaluation.memory_usage(), 0.0);
    evaluation.set_chunk_centres(5);
    evaluation.set_plan(model.chunk_plan());
    system.run(evaluation, model);
    CHECK_EQUAL(blocks, 2 * 3);
    CHECK(evaluation.memory_usage() > 0.0);
    CHECK(evaluation.seconds().fill > 0.0);
    evaluation.reset_seconds();
    CHECK_EQUAL(evaluation.seconds().fill, 0.0);
  }
  CHECK_EQUAL(blocks, 0);
}

}    // namespace

int main()
{
  test_every_row_once_and_in_order();
  test_lanes_take_turns();
  test_as_many_edges_as_the_model_asks_for();
  test_chunks_shrink_where_memory_ends();
  test_chunks_under_way_are_finished_before_another_try();
  test_failures_that_are_final();
  test_numbers_that_are_none_are_never_received();
  test_models_may_take_chunks_of_another_form();
  test_what_a_receiver_throws_comes_through();
  test_remarks_are_told_once();
  test_buffers_are_of_the_memory_that_the_plan_names();
  return check::failures() == 0 ? 0 : 1;
}
