// The functions of the scaled length x = r / cutoff that a model starts from, with derivatives.
#ifndef E3D_ENGINE_RADIAL_BASIS_H
#define E3D_ENGINE_RADIAL_BASIS_H

#include "model_file.h"

#include <vector>

namespace e3d::engine {

// Bessel: sin(w pi x) / (pi x) c(x) with the polynomial cutoff c of Gasteiger et al., ICLR 2020
// (arXiv:2003.03123), eq. 8. Spline: (1 - cos t)^2 / 4, t from 0 to 2 pi over each function's support
// (nequip-allegro's PerClassSpline). All are exactly 0 for x >= 1.
class RadialFunctions {
 public:
  RadialFunctions() = default;
  explicit RadialFunctions(const RadialEmbedding &radial);

  int count() const { return count_; }

  // Values and derivatives with respect to x, (count) each; `second` may be null.
  void evaluate(double x, double *value, double *first, double *second) const;

 private:
  RadialBasis basis_ = RadialBasis::bessel;
  int count_ = 0;
  std::vector<double> roots_;
  bool whole_roots_ = false;    // 1, 2, 3, ...: sines by addition theorems
  double power_ = 6;
  int splines_ = 0, span_ = 0;

  void bessel(double x, double *value, double *first, double *second) const;
  void spline(double x, double *value, double *first, double *second) const;
};

// Values and derivatives with respect to r, angstrom; as the kernels want it.
void evaluate_radial(const RadialFunctions &radial, double r, double cutoff, double *value,
                     double *derivative);

// c(x) = 1 - (p+1)(p+2)/2 x^p + p(p+2) x^(p+1) - p(p+1)/2 x^(p+2) and its first two derivatives; 0 for x >=
// 1.
void polynomial_cutoff(double x, double p, double &value, double &first, double &second);

}    // namespace e3d::engine

#endif
