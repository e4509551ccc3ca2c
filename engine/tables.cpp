#include "tables.h"

namespace e3d::engine {

namespace {

  // Coefficients of t^0 to t^5 on [-1/2, 1/2] from value and derivatives with respect to t at both ends.
  void quintic(const double left[3], const double right[3], double c[table_coefficients])
  {
    double even[3], odd[3];
    for (int d = 0; d < 3; d++) {
      even[d] = 0.5 * (right[d] + left[d]);
      odd[d] = 0.5 * (right[d] - left[d]);
    }
    c[4] = 0.5 * even[2] - odd[1];
    c[2] = 1.5 * odd[1] - 0.25 * even[2];
    c[0] = even[0] - 0.25 * c[2] - 0.0625 * c[4];
    c[5] = odd[2] - 6.0 * (even[1] - 2.0 * odd[0]);
    c[3] = (odd[2] - 2.5 * c[5]) / 3.0;
    c[1] = 2.0 * odd[0] - 0.25 * c[3] - 0.0625 * c[5];
  }

}    // namespace

Matrix table_of_pair(const TwoBody &functions, const Matrix &pair_weight, double cutoff)
{
  const double a = table_length, h = 1.0 / TableGrid(cutoff).per_u;
  std::vector<double> r(table_intervals + 1);
  for (int k = 0; k < table_intervals; k++) r[k] = a * k * h / (1.0 - k * h);
  r[table_intervals] = cutoff;
  const TwoBodyValues f = evaluate_two_body(functions, pair_weight, cutoff, r);

  const int columns = functions.columns.count;
  Matrix out(table_intervals * table_coefficients, columns);
  const auto end = [&](int k, int c, double values[3]) {
    const double r1 = (r[k] + a) * (r[k] + a) / a, r2 = 2.0 * r1 * (r[k] + a) / a;    // dr/du, d2r/du2
    values[0] = f.value(k, c);
    values[1] = f.first(k, c) * r1 * h;
    values[2] = (f.second(k, c) * r1 * r1 + f.first(k, c) * r2) * h * h;
  };
  for (int k = 0; k < table_intervals; k++)
    for (int c = 0; c < columns; c++) {
      double left[3], right[3], coefficient[table_coefficients];
      end(k, c, left);
      end(k + 1, c, right);
      quintic(left, right, coefficient);
      for (int d = 0; d < table_coefficients; d++) out(k * table_coefficients + d, c) = coefficient[d];
    }
  return out;
}

}    // namespace e3d::engine
