// The two-body functions against the model written down plainly, their derivatives, and the tables that are
// made of them.
#include "check.h"
#include "radial_basis.h"
#include "random_model.h"
#include "tables.h"
#include "textbook.h"

#include <algorithm>

using namespace e3d::engine;

namespace {

void test_sine_series()
{
  RadialEmbedding radial;
  radial.roots = {1.0, 2.0, 3.0};
  const RadialFunctions functions(radial);
  double low[9], high[9];
  for (int side : {0, 1})    // both ways of computing, at their border z = 1, and at 0
    functions.evaluate((1.0 + (side ? 1e-12 : -1e-12)) / std::acos(-1.0), side ? high : low,
                       (side ? high : low) + 3, (side ? high : low) + 6);
  for (int k = 0; k < 9; k++) CHECK(std::fabs(low[k] - high[k]) < 1e-10 * (1.0 + std::fabs(low[k])));
  double value[3], first[3], second[3];
  functions.evaluate(0.0, value, first, second);
  for (int k = 0; k < 3; k++) {
    CHECK_EQUAL(value[k], k + 1.0);    // w sinc(0)
    CHECK_EQUAL(first[k], 0.0);
  }
  functions.evaluate(1.0, value, first, second);
  for (int k = 0; k < 3; k++) CHECK(value[k] == 0.0 && first[k] == 0.0 && second[k] == 0.0);
}

// First and second derivative against the value and the first derivative, by central differences.
void test_derivatives(const ModelShape &shape)
{
  const FoldedModel model = fold(RandomModel(shape).file());
  const double cutoff = model.cutoff(0, 1), step = 1e-4;
  const Matrix weight = model.two_body.pair_weight(0, 1);
  for (double r : {0.05, 0.4, 1.3, 2.9, 0.97 * cutoff}) {
    const TwoBodyValues f = evaluate_two_body(model.two_body, weight, cutoff, {r - step, r, r + step});
    for (int c = 0; c < model.two_body.columns.count; c++) {
      const double slope = (f.value(2, c) - f.value(0, c)) / (2.0 * step),
                   bend = (f.first(2, c) - f.first(0, c)) / (2.0 * step);
      CHECK(std::fabs(slope - f.first(1, c)) < 1e-6 * (1.0 + std::fabs(slope)));
      CHECK(std::fabs(bend - f.second(1, c)) < 1e-5 * (1.0 + std::fabs(bend)));
    }
  }
  const TwoBodyValues beyond = evaluate_two_body(model.two_body, weight, cutoff, {cutoff, 2.0 * cutoff});
  for (double x : beyond.value.numbers) CHECK_EQUAL(x, 0.0);
}

double polynomial(const Matrix &table, int interval, int column, double t, double &slope)
{
  double value = 0.0;
  slope = 0.0;
  for (int d = table_coefficients - 1; d >= 0; d--) {
    slope = slope * t + value;
    value = value * t + table(interval * table_coefficients + d, column);
  }
  return value;
}

// Tables against exact values: at the ends of the intervals to the last digits, inside them within their
// tolerance.
void test_tables(const ModelShape &shape)
{
  const FoldedModel model = fold(RandomModel(shape).file());
  const double cutoff = model.cutoff(1, 0);
  const Matrix weight = model.two_body.pair_weight(1, 0),
               table = table_of_pair(model.two_body, weight, cutoff);
  const TableGrid grid(cutoff);
  std::vector<double> r;
  for (int k = 0; k < 4000; k++) r.push_back(0.4 + (cutoff - 0.4) * k / 4000.0);
  const TwoBodyValues exact = evaluate_two_body(model.two_body, weight, cutoff, r);
  double largest = 0.0, value_error = 0.0, slope_error = 0.0;
  for (double x : exact.value.numbers) largest = std::max(largest, std::fabs(x));
  for (std::size_t k = 0; k < r.size(); k++) {
    const double place = r[k] / (r[k] + table_length) * grid.per_u;
    const int interval = std::min(static_cast<int>(place), table_intervals - 1);
    const double dt_dr = table_length / ((r[k] + table_length) * (r[k] + table_length)) * grid.per_u;
    for (int c = 0; c < model.two_body.columns.count; c++) {
      double slope;
      const double value = polynomial(table, interval, c, place - interval - 0.5, slope);
      value_error = std::max(value_error, std::fabs(value - exact.value(static_cast<int>(k), c)));
      slope_error = std::max(slope_error, std::fabs(slope * dt_dr - exact.first(static_cast<int>(k), c)));
    }
  }
  std::printf("tables (seed %u): functions up to %.2g, error %.1e, of the derivative %.1e\n", shape.seed,
              largest, value_error, slope_error);
  CHECK(value_error < 5e-9);
  CHECK(slope_error < 1e-6);
  // continuous to the second derivative, and 0 at the cutoff
  for (int c = 0; c < model.two_body.columns.count; c++) {
    for (int k = 1; k < table_intervals; k++) {
      double before, after;
      const double left = polynomial(table, k - 1, c, 0.5, before),
                   right = polynomial(table, k, c, -0.5, after);
      CHECK(std::fabs(left - right) < 1e-13 * largest && std::fabs(before - after) < 1e-12 * largest);
    }
    double slope;
    CHECK(std::fabs(polynomial(table, table_intervals - 1, c, 0.5, slope)) < 1e-14 * largest &&
          std::fabs(slope) < 1e-14 * largest);
  }
}

}    // namespace

int main()
{
  test_sine_series();
  ModelShape shape;
  test_derivatives(shape);
  test_tables(shape);
  shape.scalar_depth = 0;
  test_derivatives(shape);
  shape.scalar_depth = 2;
  shape.seed = 2;
  shape.cutoffs = true;
  test_derivatives(shape);
  test_tables(shape);
  shape.spline = true;
  shape.seed = 3;
  test_derivatives(shape);
  test_tables(shape);
  return check::failures();
}
