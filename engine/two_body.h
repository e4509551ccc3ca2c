// The two-body functions of a model, exact, with their first two derivatives: what tables are made of.
#ifndef E3D_ENGINE_TWO_BODY_H
#define E3D_ENGINE_TWO_BODY_H

#include "folded_model.h"

#include <vector>

namespace e3d::engine {

// (points, columns.count) each: f, df/dr, d2f/dr2.
struct TwoBodyValues {
  Matrix value, first, second;
};

// At points r (angstrom, >= 0) of one ordered pair of types. From the cutoff on all are exactly 0.
TwoBodyValues evaluate_two_body(const TwoBody &functions, const Matrix &pair_weight, double cutoff,
                                const std::vector<double> &r);

}    // namespace e3d::engine

#endif
