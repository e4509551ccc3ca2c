// Batches, threads, faults that are named, and edges whose numbers do not fit into 32 bits.
#include "check.h"
#include "evaluator.h"
#include "random_model.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace e3d::engine;

namespace {

std::shared_ptr<Model> small_model(Precision precision = Precision::single)
{
  auto model = std::make_shared<Model>(RandomModel(ModelShape()).file(), precision, choose_kernels());
  model->prepare({0, 1});
  return model;
}

CentreBatch batch_of(const RandomEdges &edges, std::vector<double> &energy)
{
  energy.assign(edges.centre_type.size(), 0.0);
  CentreBatch batch;
  batch.centres = static_cast<std::int64_t>(edges.centre_type.size());
  batch.first = edges.first.data();
  batch.centre_type = edges.centre_type.data();
  batch.neighbour_type = edges.neighbour_type.data();
  batch.vector = edges.vector.data();
  batch.energy = energy.data();
  return batch;
}

void test_batches()
{
  const std::int64_t far = std::int64_t(1) << 40;
  const std::int64_t first[] = {
      far, far + 60, far + 64, far + 65, far + 65 + (std::int64_t(1) << 33), far + (std::int64_t(1) << 34)};
  CHECK_EQUAL(end_of_batch(first, 0, 5), 2);    // 64 edges
  CHECK_EQUAL(end_of_batch(first, 2, 5), 3);    // the next one is larger than any batch
  CHECK_EQUAL(end_of_batch(first, 3, 5), 4);    // and goes alone
  CHECK_EQUAL(end_of_batch(first, 0, 1), 1);
  const std::vector<std::int64_t> none(100, far);
  CHECK_EQUAL(end_of_batch(none.data(), 0, 99), batch_centres);
}

void test_thread_pool()
{
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 200; round++) {
      std::atomic<int> sum{0};
      const std::function<void(int)> task = [&](int thread) { sum += 1 + thread; };
      pool.run(task);
      CHECK_EQUAL(sum.load(), threads * (threads + 1) / 2);
    }
    const pid_t child = fork();
    if (child == 0) {
      int calls = 0;
      pool.run([&](int thread) { calls += 1 + thread; });
      _exit(calls == 1 ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK_EQUAL(status, 0);
  }
}

void test_faults()
{
  Evaluator evaluator(small_model(), 2);
  std::vector<double> energy;
  const auto refusal = [&](const RandomEdges &edges) {
    return check::thrown([&] { evaluator.evaluate(batch_of(edges, energy)); });
  };
  const auto expect = [](const std::string &message, const std::string &part) {
    if (message.find(part) == std::string::npos)
      check::fail(__FILE__, __LINE__, "'" + message + "' does not say '" + part + "'");
  };
  const RandomEdges good(1, {20, 30, 40}, 2, 0.5, 4.0);
  RandomEdges bad = good;
  bad.vector[3 * 33] = bad.vector[3 * 33 + 1] = bad.vector[3 * 33 + 2] = 0.0;
  expect(refusal(bad), "edge 33 of centre 1 (");
  expect(refusal(bad), "has length 0");
  bad = good;
  bad.vector[3 * 60] = NAN;
  expect(refusal(bad), "edge 60 of centre 2");
  expect(refusal(bad), "NaN or infinite");
  bad.vector[3 * 60] = 1e200;    // its square is infinite
  expect(refusal(bad), "NaN or infinite");
  bad = good;
  bad.neighbour_type[7] = 2;
  expect(refusal(bad), "edge 7 of centre 0 has a neighbour of the model type 2, expected 0 to 1");
  bad = good;
  bad.first[1] = 55;
  expect(refusal(bad), "fall from 55 to 50 at centre 1");
  bad = good;
  bad.centre_type[2] = -1;
  expect(refusal(bad), "centre 2 has the model type -1");
  CHECK(refusal(good) == "");

  auto unprepared =
      std::make_shared<Model>(RandomModel(ModelShape()).file(), Precision::single, choose_kernels());
  unprepared->prepare({0});
  Evaluator other(unprepared, 1);
  expect(check::thrown([&] { other.evaluate(batch_of(good, energy)); }), "not prepared");
  CHECK_MESSAGE(unprepared->prepare({2}), "expected model types from 0 to 1, got 2");
  CHECK_MESSAGE(choose_kernels("sse9"), "'sse9' does not run here");
}

// Edges beyond number 2^31: the arrays are huge, but only the pages that are used exist.
void test_beyond_32_bits()
{
  const std::int64_t start = (std::int64_t(1) << 31) + 12345;
  const RandomEdges edges(4, {30, 0, 70}, 2, 0.5, 4.0);
  const std::int64_t count = edges.first.back(), all = start + count;
  const auto reserve = [](std::int64_t bytes) {
    void *p = mmap(nullptr, static_cast<std::size_t>(bytes), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(p != MAP_FAILED);
    return p;
  };
  double *vector = static_cast<double *>(reserve(24 * all)),
         *force = static_cast<double *>(reserve(24 * all));
  double *edge_energy = static_cast<double *>(reserve(8 * all));
  std::int32_t *type = static_cast<std::int32_t *>(reserve(4 * all));
  if (check::failures()) return;
  std::copy(edges.vector.begin(), edges.vector.end(), vector + 3 * start);
  std::copy(edges.neighbour_type.begin(), edges.neighbour_type.end(), type + start);
  std::vector<std::int64_t> first = edges.first;
  for (std::int64_t &offset : first) offset += start;
  Evaluator evaluator(small_model(), 2);
  std::vector<double> energy, wanted_energy, wanted(static_cast<std::size_t>(count)),
      wanted_force(3 * static_cast<std::size_t>(count));
  CentreBatch near = batch_of(edges, wanted_energy);
  near.edge_energy = wanted.data();
  near.edge_force = wanted_force.data();
  evaluator.evaluate(near);
  CentreBatch far = batch_of(edges, energy);
  far.first = first.data();
  far.neighbour_type = type;
  far.vector = vector;
  far.edge_energy = edge_energy;
  far.edge_force = force;
  evaluator.evaluate(far);
  CHECK(energy == wanted_energy);
  CHECK(std::equal(wanted.begin(), wanted.end(), edge_energy + start));
  CHECK(std::equal(wanted_force.begin(), wanted_force.end(), force + 3 * start));
  vector[3 * (start + 50)] = NAN;
  CHECK_MESSAGE(evaluator.evaluate(far), "edge " + std::to_string(start + 50) + " of centre 2");
  munmap(vector, static_cast<std::size_t>(24 * all));
  munmap(force, static_cast<std::size_t>(24 * all));
  munmap(edge_energy, static_cast<std::size_t>(8 * all));
  munmap(type, static_cast<std::size_t>(4 * all));
}

}    // namespace

int main()
{
  test_batches();
  test_thread_pool();
  test_faults();
  test_beyond_32_bits();
  return check::failures();
}
