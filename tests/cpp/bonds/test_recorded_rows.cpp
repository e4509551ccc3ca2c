// The part of all pairs that a fraction keeps: by ids alone, symmetric, as large as asked for.
#include "bonds/recorded_rows.h"
#include "check.h"

#include <cmath>

using namespace E3D;

int main()
{
  for (const double fraction : {1e-3, 0.05, 0.5, 0.99}) {
    const PairSample sample(fraction);
    int kept = 0;
    constexpr int SIDE = 1000;
    for (int a = 1; a <= SIDE; a++)
      for (int b = 1; b <= SIDE; b++) {
        CHECK(sample.has(a, b) == sample.has(b, a));
        kept += sample.has(a, b);
      }
    // both orders of a pair count, so pairs are half as many
    const double share = kept / double(SIDE * SIDE),
                 sigma = std::sqrt(fraction * (1 - fraction) / (SIDE * SIDE / 2.0));
    CHECK(std::abs(share - fraction) < 4 * sigma);

    // a larger fraction keeps all that a smaller one keeps
    const PairSample larger(fraction + 0.005);
    for (int a = 1; a <= 300; a++) CHECK(!sample.has(a, 7) || larger.has(a, 7));
  }
  const PairSample all(1.0);
  CHECK(all.has(1, 2) && all.has(2147483647, 1));

  // docs/fix_e3d_record.md gives the hash; these are values of another implementation of it
  const PairSample half(0.5);
  const bool expected[] = {false, false, true,  false, true, false, true, false,
                           true,  true,  false, false, true, true,  true, true};
  for (int k = 0; k < 16; k++) CHECK_EQUAL(half.has(k + 1, 17), expected[k]);
  return check::failures() == 0 ? 0 : 1;
}
