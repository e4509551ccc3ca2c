// Tables of the two-body functions of one ordered pair of types.
//
// Uniform intervals in u = r / (r + a): the functions are sharp at small r, because SiLU bends there, and
// smooth at large r. In each interval a polynomial of degree five in t, from -1/2 to 1/2, takes on the exact
// values and first two derivatives at both ends. Centred monomials keep their digits in single precision
// where splines lose them.
#ifndef E3D_ENGINE_TABLES_H
#define E3D_ENGINE_TABLES_H

#include "two_body.h"

namespace e3d::engine {

constexpr int table_intervals = 256;
constexpr int table_coefficients = 6;
constexpr double table_length = 2.0;    // a, angstrom

// Where a length lies in a table that ends at a cutoff.
struct TableGrid {
  explicit TableGrid(double cutoff) : per_u(table_intervals * (cutoff + table_length) / cutoff) {}

  double per_u;    // intervals per unit of u
};

// Row k * coefficients + d: the coefficients of t^d of every function in interval k, (intervals *
// coefficients, columns.count).
Matrix table_of_pair(const TwoBody &functions, const Matrix &pair_weight, double cutoff);

}    // namespace e3d::engine

#endif
