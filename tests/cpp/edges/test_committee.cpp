// The spread of forces over several models, against the plain formula, and their edge energies.
#include "check.h"
#include "edges/chain.h"
#include "edges/committee.h"
#include "model/edge_chunk.h"

#include <cmath>
#include <vector>

using namespace E3D;

namespace {

constexpr double UNIT = 23.06;    // as kcal/mol per eV
constexpr int OWNED = 6, GHOSTS = 3;

// six owned atoms, and three ghosts that are the images of atoms 0 to 2
EdgeFrame frame_of_a_chain()
{
  const TypeTable types({-1, 0}, {2.5});
  const Chain chain(std::vector<int>(OWNED + GHOSTS, 1));
  NeighborView view = chain.view();
  view.inum = OWNED;
  EdgeFrame frame;
  find_edges(view, types, frame);
  frame.nlocal = OWNED;
  frame.nghost = GHOSTS;
  return frame;
}

double eps_of(int model, int64_t edge)
{
  return std::sin(1.0 + 3.0 * model + 7.0 * edge);
}

double g_of(int model, int64_t component, double common)
{
  return common + std::cos(2.0 + 5.0 * model + 11.0 * component);
}

// give the committee what a model says, in chunks of some rows, and sum its forces as LAMMPS does

void run_model(Committee &committee, const EdgeFrame &frame, int model, int64_t rows, double common)
{
  committee.begin_model();
  for (int64_t row = 0; row < static_cast<int64_t>(frame.rows()); row += rows) {
    EdgeChunk chunk;
    chunk.first_row = row;
    chunk.num_rows = std::min<int64_t>(rows, frame.rows() - row);
    chunk.first_edge = frame.offset[row];
    chunk.num_edges = frame.offset[row + chunk.num_rows] - chunk.first_edge;
    std::vector<double> eps, g;
    for (int64_t e = 0; e < chunk.num_edges; e++) eps.push_back(eps_of(model, chunk.first_edge + e));
    for (int64_t k = 0; k < 3 * chunk.num_edges; k++)
      g.push_back(g_of(model, 3 * chunk.first_edge + k, common));
    committee.add(chunk, {nullptr, eps.data(), g.data(), 0.0});
  }
  for (int ghost = 0; ghost < GHOSTS; ghost++)
    for (int d = 0; d < 3; d++)
      committee.forces()[3 * ghost + d] += committee.forces()[3 * (OWNED + ghost) + d];
  committee.end_model();
}

// sqrt of the mean over models of |F_m - mean F|^2, in two passes over all of them

std::vector<double> expected_spread(const EdgeFrame &frame, int num_models, double common)
{
  std::vector<std::vector<double>> forces(num_models, std::vector<double>(3 * OWNED, 0.0));
  for (int m = 0; m < num_models; m++)
    for (std::size_t row = 0; row < frame.rows(); row++)
      for (int64_t e = frame.offset[row]; e < frame.offset[row + 1]; e++)
        for (int d = 0; d < 3; d++) {
          const double g = UNIT * g_of(m, 3 * e + d, common);
          forces[m][3 * frame.centre[row] + d] += g;
          forces[m][3 * (frame.neighbour[e] % OWNED) + d] -= g;
        }
  std::vector<double> spread(OWNED, 0.0);
  for (int k = 0; k < 3 * OWNED; k++) {
    double mean = 0.0;
    for (int m = 0; m < num_models; m++) mean += forces[m][k] / num_models;
    for (int m = 0; m < num_models; m++) spread[k / 3] += std::pow(forces[m][k] - mean, 2) / num_models;
  }
  for (double &s : spread) s = std::sqrt(s);
  return spread;
}

void test_spread_is_that_of_the_formula()
{
  for (const int num_models : {2, 3, 7})
    for (const int64_t rows : {1, 4, 6}) {
      EdgeFrame frame = frame_of_a_chain();
      Committee committee;
      for (int step = 0; step < 2; step++) {    // nothing is left of the step before
        committee.begin(frame, num_models, UNIT);
        for (int m = 0; m < num_models; m++) run_model(committee, frame, m, rows, 0.0);
        committee.end();
      }
      const std::vector<double> expected = expected_spread(frame, num_models, 0.0);
      CHECK_EQUAL(frame.force_spread.size(), expected.size());
      for (int i = 0; i < OWNED; i++) CHECK(std::fabs(frame.force_spread[i] - expected[i]) < 1e-12 * UNIT);
      CHECK(committee.memory_usage() >= (3 * OWNED + 3 * (OWNED + GHOSTS)) * sizeof(double));
    }
}

void test_large_forces_do_not_hide_a_small_spread()
{
  // a difference of sums of squares would leave nothing: 1e8^2 has no digit left for 1
  EdgeFrame frame = frame_of_a_chain();
  Committee committee;
  committee.begin(frame, 3, UNIT);
  for (int m = 0; m < 3; m++) run_model(committee, frame, m, 6, 1e8);
  committee.end();
  const std::vector<double> expected = expected_spread(frame, 3, 1e8);
  for (int i = 0; i < OWNED; i++) CHECK(std::fabs(frame.force_spread[i] / expected[i] - 1.0) < 1e-6);
}

void test_energies_of_the_models_beside_the_first()
{
  EdgeFrame frame = frame_of_a_chain();
  Committee committee;
  committee.begin(frame, 3, UNIT);
  for (int m = 0; m < 3; m++) run_model(committee, frame, m, 4, 0.0);
  committee.end();
  CHECK_EQUAL(frame.members, 2);
  CHECK_EQUAL(frame.member_eps.size(), static_cast<std::size_t>(2 * frame.edges()));
  for (int64_t e = 0; e < frame.edges(); e++)
    for (int m = 1; m < 3; m++) CHECK_EQUAL(frame.member_eps[2 * e + m - 1], UNIT * eps_of(m, e));

  Committee::clear(frame);
  CHECK_EQUAL(frame.members, 0);
  CHECK(frame.member_eps.empty() && frame.force_spread.empty());
}

void test_equal_models_have_no_spread()
{
  EdgeFrame frame = frame_of_a_chain();
  Committee committee;
  committee.begin(frame, 4, UNIT);
  for (int m = 0; m < 4; m++) run_model(committee, frame, 0, 6, 0.0);
  committee.end();
  for (const double spread : frame.force_spread) CHECK(spread < 1e-13);
}

void test_rank_without_atoms()
{
  EdgeFrame frame;
  Committee committee;
  committee.begin(frame, 2, UNIT);
  for (int m = 0; m < 2; m++) {
    committee.begin_model();
    committee.end_model();
  }
  committee.end();
  CHECK(frame.force_spread.empty());
}

}    // namespace

int main()
{
  test_spread_is_that_of_the_formula();
  test_large_forces_do_not_hide_a_small_spread();
  test_energies_of_the_models_beside_the_first();
  test_equal_models_have_no_spread();
  test_rank_without_atoms();
  return check::failures() == 0 ? 0 : 1;
}
