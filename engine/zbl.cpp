#include "zbl.h"

#include "radial_basis.h"

#include <cmath>

namespace e3d::engine {

void evaluate_zbl(double charge_i, double charge_j, double prefactor, double cutoff_power, double cutoff,
                  double r, double &energy, double &derivative)
{
  constexpr double exponent = 0.23, length = 0.46850;
  constexpr double weight[4] = {0.02817, 0.28022, 0.50986, 0.18175};
  constexpr double decay[4] = {-0.20162, -0.40290, -0.94229, -3.19980};
  const double per_r = (std::pow(charge_i, exponent) + std::pow(charge_j, exponent)) / length;
  double screening = 0.0, slope = 0.0;    // of per_r r
  for (int k = 0; k < 4; k++) {
    const double term = weight[k] * std::exp(decay[k] * per_r * r);
    screening += term;
    slope += decay[k] * term;
  }
  const double coulomb = prefactor * charge_i * charge_j / r;
  const double bare = coulomb * screening, bare1 = coulomb * (slope * per_r - screening / r);
  double c, c1, c2;
  polynomial_cutoff(r / cutoff, cutoff_power, c, c1, c2);
  energy = bare * c;
  derivative = bare1 * c + bare * c1 / cutoff;
}

}    // namespace e3d::engine
