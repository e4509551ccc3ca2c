// Shapes of padded chunks: few, never too small, and little is wasted.
#include "check.h"
#include "model/padded_shape.h"

#include <algorithm>
#include <set>

using namespace E3D;

namespace {

void test_rounding()
{
  CHECK_EQUAL(rounded_up(0, 16), 16);
  CHECK_EQUAL(rounded_up(16, 16), 16);
  CHECK_EQUAL(rounded_up(17, 16), 17);
  CHECK_EQUAL(rounded_up(31, 16), 31);
  CHECK_EQUAL(rounded_up(33, 16), 34);
  CHECK_EQUAL(rounded_up(63, 16), 64);
  CHECK_EQUAL(rounded_up(1000001, 16), 1015808);    // 31 * 2^15
  CHECK_EQUAL(rounded_down(33, 16), 32);
  CHECK_EQUAL(rounded_down(5, 16), 5);
  for (int64_t n = 16; n < 200000; n += 1 + n / 50) {
    const int64_t up = rounded_up(n, 16), down = rounded_down(n, 16);
    CHECK(up >= n && up - n <= n / 16);
    CHECK(down <= n && n - down <= n / 16);
    CHECK_EQUAL(rounded_up(up, 16), up);
    CHECK_EQUAL(rounded_up(down, 16), down);
    CHECK_EQUAL(edges_of_full_chunk(n), down);
  }
}

void test_shapes_hold_what_they_must()
{
  for (const int64_t edges : {0, 1, 2, 15, 16, 33, 500, 99999})
    for (const int64_t rows : {1, 2, 100, 2000})
      for (const int64_t types : {1, 4}) {
        const ChunkShape exact = exact_shape(edges, rows, types), rounded = rounded_shape(edges, rows, types);
        CHECK_EQUAL(exact.edges, std::max<int64_t>(edges, 2));
        CHECK_EQUAL(exact.padding_slots, 1);
        CHECK_EQUAL(exact.slots, rows + 1 + types);
        CHECK(rounded.edges >= exact.edges);
        CHECK(rounded.slots >= rows + rounded.padding_slots + types);
        CHECK(rounded.padding_slots >= 1);
        CHECK(rounded.padding_slots * MAX_EDGES_OF_PADDING_SLOT >= rounded.edges - edges);
      }
}

void test_fluctuations_stay_within_few_shapes()
{
  std::set<std::pair<int64_t, int64_t>> shapes;
  for (int64_t edges = 182000; edges < 183000; edges++) {
    const ChunkShape shape = rounded_shape(edges, 3834, 4);
    shapes.insert({shape.edges, shape.slots});
  }
  CHECK(shapes.size() <= 2);
}

}    // namespace

int main()
{
  test_rounding();
  test_shapes_hold_what_they_must();
  test_fluctuations_stay_within_few_shapes();
  return check::failures() == 0 ? 0 : 1;
}
