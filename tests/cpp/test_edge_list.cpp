// Edges of a small hand-made neighbour list: directed cutoffs, NULL types, chunks, padding.
#include "check.h"
#include "edge_list.h"

#include <vector>

using namespace E3D;

namespace {

constexpr int MASK = 0x1FFFFFFF;
constexpr int SPECIAL = 1 << 30;    // LAMMPS marks special neighbours in the upper bits

// a chain of atoms on the x axis, 1 Angstrom apart, everybody in everybody's list
struct Chain {
  std::vector<std::vector<double>> positions;
  std::vector<double *> x;
  std::vector<int> type, ilist, numneigh;
  std::vector<std::vector<int>> lists;
  std::vector<int *> firstneigh;

  explicit Chain(const std::vector<int> &types) : type(types)
  {
    const int n = static_cast<int>(types.size());
    for (int i = 0; i < n; i++) {
      positions.push_back({1.0 * i, 0.0, 0.0});
      ilist.push_back(i);
      lists.emplace_back();
      for (int j = 0; j < n; j++)
        if (j != i) lists[i].push_back(j % 2 ? j | SPECIAL : j);
    }
    for (int i = 0; i < n; i++) {
      x.push_back(positions[i].data());
      numneigh.push_back(static_cast<int>(lists[i].size()));
      firstneigh.push_back(lists[i].data());
    }
  }

  NeighborView view() const
  {
    return {static_cast<int>(ilist.size()), ilist.data(), numneigh.data(), firstneigh.data(), MASK,
            x.data(), type.data()};
  }
};

void test_edges_within_directed_cutoffs()
{
  // model types A, B: A sees B to 2.5, B sees A to 1.5, like types to 1.5
  const TypeTable types({-1, 0, 1}, {1.5, 2.5, 1.5, 1.5});
  const Chain chain({1, 2, 2, 1});    // A B B A
  EdgeFrame frame;
  find_edges(chain.view(), types, frame);

  CHECK_EQUAL(frame.rows(), 4u);
  CHECK_EQUAL(frame.edges(), 8);
  const std::vector<int> expected = {1, 2, 0, 2, 1, 3, 1, 2};    // A0: B1 B2; B1: A0 B2; ...
  for (int e = 0; e < 8; e++) CHECK_EQUAL(frame.neighbour[e], expected[e]);
  for (int row = 0; row <= 4; row++) CHECK_EQUAL(frame.offset[row], 2 * row);
}

void test_null_types_are_no_centres_and_no_neighbours()
{
  const TypeTable types({-1, 0, -1}, {10.0});
  const Chain chain({1, 2, 1});
  EdgeFrame frame;
  find_edges(chain.view(), types, frame);
  CHECK_EQUAL(frame.rows(), 2u);
  CHECK_EQUAL(frame.edges(), 2);
  CHECK_EQUAL(frame.neighbour[0], 2);
  CHECK_EQUAL(frame.centre[1], 2);
}

void test_rank_without_atoms()
{
  const TypeTable types({-1, 0}, {1.5});
  const Chain chain({});
  EdgeFrame frame;
  find_edges(chain.view(), types, frame);
  CHECK_EQUAL(frame.rows(), 0u);
  CHECK_EQUAL(frame.edges(), 0);
}

void test_chunks_cover_all_rows_once()
{
  const TypeTable types({-1, 0}, {1.5});
  const Chain chain(std::vector<int>(10, 1));    // 18 edges: 1, 2, ..., 2, 1
  EdgeFrame frame;
  find_edges(chain.view(), types, frame);

  for (const int64_t max_rows : {1, 3, 10, 99}) {
    int64_t row = 0;
    while (row < 10) row += rows_in_chunk(frame, row, max_rows, 0);
    CHECK_EQUAL(row, 10);
  }
  CHECK_EQUAL(rows_in_chunk(frame, 0, 3, 0), 3);
  CHECK_EQUAL(rows_in_chunk(frame, 8, 3, 0), 2);
  CHECK_EQUAL(rows_in_chunk(frame, 0, 0, 5), 3);    // 1 + 2 + 2 edges
  CHECK_EQUAL(rows_in_chunk(frame, 1, 0, 5), 2);    // 2 + 2
  CHECK_EQUAL(rows_in_chunk(frame, 1, 0, 1), 1);    // at least one row
  CHECK_EQUAL(rows_in_chunk(frame, 9, 0, 100), 1);
}

void test_chunk_inputs_share_neighbour_slots()
{
  const TypeTable types({-1, 1, 0}, {1.5, 1.5, 1.5, 1.5});    // LAMMPS type 1 is model type 1
  const Chain chain({1, 2, 1});
  EdgeFrame frame;
  find_edges(chain.view(), types, frame);
  EdgeChunk chunk;
  fill_chunk(chain.view(), types, 2, 1.5, frame, 1, 2, chunk);    // atoms 1 and 2

  CHECK_EQUAL(chunk.num_edges, 3);
  CHECK_EQUAL(chunk.num_padded, 3);
  CHECK_EQUAL(chunk.num_slots, 2 + 1 + 2);
  const std::vector<int64_t> slot_types = {0, 1, 0, 0, 1};
  for (int s = 0; s < 5; s++) CHECK_EQUAL(chunk.types[s], slot_types[s]);
  const std::vector<int64_t> index = {0, 0, 1, 4, 4, 3};    // both neighbours of atom 1: one slot
  for (int k = 0; k < 6; k++) CHECK_EQUAL(chunk.index[k], index[k]);
  CHECK_EQUAL(chunk.vectors[0], -1.0);
  CHECK_EQUAL(chunk.vectors[3], 1.0);
}

void test_tiny_chunks_are_padded_beyond_the_cutoff()
{
  const TypeTable types({-1, 0}, {1.5});
  const Chain chain({1, 1});
  EdgeFrame frame;
  find_edges(chain.view(), types, frame);
  EdgeChunk chunk;
  fill_chunk(chain.view(), types, 1, 1.5, frame, 0, 1, chunk);
  CHECK_EQUAL(chunk.num_edges, 1);
  CHECK_EQUAL(chunk.num_padded, 2);
  CHECK_EQUAL(chunk.index[1], 1);    // the padding slot comes after the centres: still sorted
  CHECK_EQUAL(chunk.vectors[3], 2.25);
}

void test_stale_frames_are_known()
{
  EdgeFrame frame;
  CHECK(!frame.is_current(0, 0, 0));
  frame.step = 7;
  frame.nlocal = 3;
  frame.nghost = 4;
  CHECK(frame.is_current(7, 3, 4));
  CHECK(!frame.is_current(8, 3, 4));
  CHECK(!frame.is_current(7, 2, 4));
  CHECK(!frame.is_current(7, 3, 5));
}

}    // namespace

int main()
{
  test_edges_within_directed_cutoffs();
  test_null_types_are_no_centres_and_no_neighbours();
  test_rank_without_atoms();
  test_chunks_cover_all_rows_once();
  test_chunk_inputs_share_neighbour_slots();
  test_tiny_chunks_are_padded_beyond_the_cutoff();
  test_stale_frames_are_known();
  return check::failures() == 0 ? 0 : 1;
}
