#include "two_body.h"

#include "radial_basis.h"

#include <cmath>

namespace e3d::engine {

namespace {

  // x -> SiLU(x) with two derivatives along a line.
  void activate(TwoBodyValues &h)
  {
    for (std::size_t k = 0; k < h.value.numbers.size(); k++) {
      double &f = h.value.numbers[k], &f1 = h.first.numbers[k], &f2 = h.second.numbers[k];
      const double s = 1.0 / (1.0 + std::exp(-f)), ds = s * (1.0 - s);    // logistic function
      const double a1 = s + f * ds, a2 = ds * (2.0 + f * (1.0 - 2.0 * s));
      f2 = a2 * f1 * f1 + a1 * f2;
      f1 = a1 * f1;
      f = f * s;
    }
  }

  TwoBodyValues times(const TwoBodyValues &a, const Matrix &b)
  {
    return {product(a.value, b), product(a.first, b), product(a.second, b)};
  }

}    // namespace

TwoBodyValues evaluate_two_body(const TwoBody &functions, const Matrix &pair_weight, double cutoff,
                                const std::vector<double> &r)
{
  const RadialFunctions radial(functions.radial);
  const int points = static_cast<int>(r.size()), count = radial.count();
  TwoBodyValues f{Matrix(points, count), Matrix(points, count), Matrix(points, count)};
  for (int k = 0; k < points; k++) {
    if (r[k] >= cutoff) continue;
    radial.evaluate(r[k] / cutoff, &f.value(k, 0), &f.first(k, 0), &f.second(k, 0));
    for (int b = 0; b < count; b++) {
      f.first(k, b) /= cutoff;
      f.second(k, b) /= cutoff * cutoff;
    }
  }
  f = times(f, pair_weight);
  for (const Matrix &weight : functions.hidden) {
    f = times(f, weight);
    activate(f);
  }
  return times(f, functions.outputs);
}

}    // namespace e3d::engine
