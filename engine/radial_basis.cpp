#include "radial_basis.h"

#include <algorithm>
#include <cmath>

namespace e3d::engine {

namespace {

  constexpr double pi = 3.14159265358979323846;

  // sin(z) / z and its first two derivatives by their series, for |z| <= 1, where the closed forms lose
  // digits.
  void sinc_series(double z, double &value, double &first, double &second)
  {
    const double z2 = z * z;
    value = first = second = 0.0;
    double term = 1.0;    // (-1)^k z^(2k) / (2k+1)!, and the same divided by z^2
    double over_z2 = 0.0;
    for (int k = 0; k <= 10; k++) {
      if (k > 0) {
        over_z2 = -term / ((2 * k) * (2 * k + 1));
        term = over_z2 * z2;
      }
      value += term;
      first += 2 * k * over_z2 * z;
      second += 2 * k * (2 * k - 1) * over_z2;
    }
  }

  double power(double x, double p)
  {
    const int whole = static_cast<int>(p);
    if (whole != p) return std::pow(x, p);
    double out = 1.0, square = x;
    for (int k = whole; k; k >>= 1) {
      if (k & 1) out *= square;
      square *= square;
    }
    return out;
  }

}    // namespace

void polynomial_cutoff(double x, double p, double &value, double &first, double &second)
{
  if (x >= 1.0) {
    value = first = second = 0.0;
    return;
  }
  const double x2 = power(x, p - 2.0), x1 = x2 * x, x0 = x1 * x, away = 1.0 - x;
  const double slope = 0.5 * p * (p + 1.0) * (p + 2.0);
  value = 1.0 - 0.5 * (p + 1.0) * (p + 2.0) * x0 + p * (p + 2.0) * x0 * x - 0.5 * p * (p + 1.0) * x0 * x * x;
  first = -slope * x1 * away * away;
  second = -slope * ((p - 1.0) * x2 * away * away - 2.0 * x1 * away);
}

RadialFunctions::RadialFunctions(const RadialEmbedding &radial) :
    basis_(radial.basis), roots_(radial.roots), power_(radial.cutoff_power), splines_(radial.splines),
    span_(radial.span)
{
  count_ = basis_ == RadialBasis::bessel ? static_cast<int>(roots_.size()) : splines_;
  whole_roots_ = true;
  for (std::size_t k = 0; k < roots_.size(); k++) whole_roots_ &= roots_[k] == static_cast<double>(k + 1);
}

void RadialFunctions::evaluate(double x, double *value, double *first, double *second) const
{
  if (basis_ == RadialBasis::bessel)
    bessel(x, value, first, second);
  else
    spline(x, value, first, second);
}

void evaluate_radial(const RadialFunctions &radial, double r, double cutoff, double *value,
                     double *derivative)
{
  const double inverse = 1.0 / cutoff;
  radial.evaluate(r / cutoff, value, derivative, nullptr);
  for (int k = 0; k < radial.count(); k++) derivative[k] *= inverse;
}

void RadialFunctions::bessel(double x, double *value, double *first, double *second) const
{
  double c, c1, c2;
  polynomial_cutoff(x, power_, c, c1, c2);
  const double sin1 = std::sin(pi * x), cos1 = std::cos(pi * x);
  double sine = 0.0, cosine = 1.0;
  for (int k = 0; k < count_; k++) {
    const double w = roots_[k], z = pi * w * x;
    if (whole_roots_) {
      const double next = sine * cos1 + cosine * sin1;
      cosine = cosine * cos1 - sine * sin1;
      sine = next;
    } else {
      sine = std::sin(z);
      cosine = std::cos(z);
    }
    double g, g1, g2;    // sin(w pi x) / (pi x)
    if (std::fabs(z) <= 1.0) {
      sinc_series(z, g, g1, g2);
      g *= w;
      g1 *= w * pi * w;
      g2 *= w * pi * w * pi * w;
    } else {
      g = sine / (pi * x);
      g1 = (w * cosine - g) / x;
      g2 = -(pi * w * w * sine + 2.0 * g1) / x;
    }
    value[k] = g * c;
    first[k] = g1 * c + g * c1;
    if (second) second[k] = g2 * c + 2.0 * g1 * c1 + g * c2;
  }
}

void RadialFunctions::spline(double x, double *value, double *first, double *second) const
{
  const double width = (span_ + 1.0) / splines_, scale = 2.0 * pi / width;
  for (int k = 0; k < count_; k++) {
    const double lower = static_cast<double>(k - span_) / splines_;
    if (x <= lower || x >= lower + width || x >= 1.0) {
      value[k] = first[k] = 0.0;
      if (second) second[k] = 0.0;
      continue;
    }
    const double t = scale * (x - lower), sine = std::sin(t), cosine = std::cos(t), rise = 1.0 - cosine;
    value[k] = 0.25 * rise * rise;
    first[k] = 0.5 * rise * sine * scale;
    if (second) second[k] = 0.5 * (sine * sine + rise * cosine) * scale * scale;
  }
}

}    // namespace e3d::engine
