// Edges of a small hand-made neighbour list: directed cutoffs, NULL types, their order, chunks, padding.
#include "check.h"
#include "edges/chain.h"
#include "edges/edge_list.h"
#include "model/padded_shape.h"

#include <algorithm>
#include <cmath>
#include <vector>

using namespace E3D;

namespace {

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

void test_a_frame_that_is_used_again()
{
  // more edges than before, fewer, and more than there was ever room for
  const TypeTable types({-1, 0}, {1.5}), far({-1, 0}, {80.0});
  EdgeFrame frame;
  for (const int atoms : {10, 12, 4, 200, 199}) {
    const Chain chain(std::vector<int>(atoms, 1));
    for (const TypeTable *table : {&types, &far}) {
      EdgeFrame fresh;
      find_edges(chain.view(), *table, fresh);
      find_edges(chain.view(), *table, frame);
      CHECK(frame.neighbour == fresh.neighbour);
      CHECK(frame.offset == fresh.offset);
      CHECK(frame.centre == fresh.centre);
      CHECK_EQUAL(frame.eps.size(), fresh.eps.size());
    }
  }
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

void test_edges_are_in_the_order_of_ids()
{
  const TypeTable types({-1, 0}, {2.5});
  Chain chain(std::vector<int>(7, 1));
  chain.tag = {30, 5, 1000000, 7, 2, 9, 4};
  EdgeFrame frame;
  for (int repeat = 0; repeat < 2; repeat++) {    // the second time, the lists are in order already
    find_edges(chain.view(), types, frame);
    const std::vector<int> of_atom_3 = {4, 1, 5, 2};    // ids 2, 5, 9, 1000000
    for (int k = 0; k < 4; k++) CHECK_EQUAL(frame.neighbour[frame.offset[3] + k], of_atom_3[k]);
    for (std::size_t row = 0; row < frame.rows(); row++)
      for (int64_t e = frame.offset[row] + 1; e < frame.offset[row + 1]; e++)
        CHECK(chain.tag[frame.neighbour[e - 1]] < chain.tag[frame.neighbour[e]]);
  }
  CHECK_EQUAL(chain.lists[0].size(), 6u);    // nothing was lost of them, nor the marks of special neighbours
  CHECK(std::count_if(chain.lists[0].begin(), chain.lists[0].end(), [](int j) { return j & SPECIAL; }) == 3);
}

void test_images_of_an_atom_are_in_the_order_of_distances()
{
  const TypeTable types({-1, 0}, {3.5});
  Chain chain({1, 1, 1, 1, 1});
  chain.tag = {1, 1, 2, 1, 1};    // all but atom 2 are images of each other
  const auto order = [&] {
    EdgeFrame frame;
    find_edges(chain.view(), types, frame);
    return std::vector<int>(&frame.neighbour[frame.offset[2]], &frame.neighbour[frame.offset[2]] + 4);
  };
  CHECK(order() == std::vector<int>({1, 3, 0, 4}));    // at the same distance: by x
  chain.positions[0][0] = 1.5;                         // moves closer than all others
  CHECK(order() == std::vector<int>({0, 1, 3, 4}));
}

void test_atoms_at_one_place_or_at_none_are_told()
{
  const TypeTable types({-1, 0, -1}, {1.5});
  const double nan = std::nan("");
  for (const double x : {2.0, nan}) {
    Chain chain({1, 1, 1, 1});
    chain.positions[1][0] = x;    // atom 2 is at 2.0
    EdgeFrame frame;
    int centre = -1, neighbour = -1;
    try {
      find_edges(chain.view(), types, frame);
    } catch (const BadEdge &e) {
      centre = e.centre;
      neighbour = e.neighbour;
    }
    CHECK(centre == 1 || neighbour == 1);
  }
  Chain chain({1, 2, 1, 1});
  chain.positions[1][0] = 2.0;    // of another style
  EdgeFrame frame;
  find_edges(chain.view(), types, frame);
  CHECK_EQUAL(frame.edges(), 2);
}

void test_more_edges_than_fit_into_32_bits()
{
  constexpr int64_t MANY = int64_t(1) << 30;
  EdgeFrame frame;
  frame.centre.resize(6);
  for (int64_t row = 0; row <= 6; row++) frame.offset.push_back(row * MANY);
  CHECK_EQUAL(frame.edges(), 6 * MANY);
  CHECK_EQUAL(rows_in_chunk(frame, 0, 0, 5 * MANY + 1), 5);
  CHECK_EQUAL(rows_in_chunk(frame, 4, 0, 1000), 1);
  CHECK_EQUAL(rows_in_chunk(frame, 5, 0, 3 * MANY), 1);
  CHECK_EQUAL(even_edges(frame, 1, 4 * MANY), (5 * MANY + 1) / 2);
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

void test_even_chunks()
{
  const TypeTable types({-1, 0}, {3.5});
  const Chain chain(std::vector<int>(500, 1));    // 6 edges each, fewer at the ends
  EdgeFrame frame;
  find_edges(chain.view(), types, frame);
  for (const int64_t max_edges : {100, 700, 999, 1500, 1600, 10000}) {
    int64_t row = 0, smallest = max_edges, chunks = 0;
    while (row < 500) {
      const int64_t rows = rows_in_chunk(frame, row, 0, even_edges(frame, row, max_edges));
      const int64_t edges = frame.offset[row + rows] - frame.offset[row];
      CHECK(edges <= max_edges);
      smallest = std::min(smallest, edges);
      row += rows;
      chunks++;
    }
    CHECK(chunks <= frame.edges() / (0.95 * max_edges) + 1.0);
    CHECK(smallest >= std::min<int64_t>(frame.edges() / chunks - 40, frame.edges()));
  }
}

void test_chunk_inputs_share_neighbour_slots()
{
  const TypeTable types({-1, 1, 0}, {1.5, 1.5, 1.5, 1.5});    // LAMMPS type 1 is model type 1
  const Chain chain({1, 2, 1});
  EdgeFrame frame;
  find_edges(chain.view(), types, frame);
  EdgeChunk chunk;
  fill_chunk(chain.view(), types, {2, 1.5, ChunkForm::Slots}, frame, 1, 2, chunk);    // atoms 1 and 2

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

void test_chunks_by_centres_hold_offsets_and_types()
{
  const TypeTable types({-1, 1, 0}, {1.5, 1.5, 1.5, 1.5});    // LAMMPS type 1 is model type 1
  const Chain chain({1, 2, 1, 1});
  EdgeFrame frame;
  find_edges(chain.view(), types, frame);
  EdgeChunk chunk;
  fill_chunk(chain.view(), types, {2, 1.5, ChunkForm::Centres}, frame, 1, 3, chunk);    // atoms 1, 2 and 3

  CHECK_EQUAL(chunk.first_edge, 1);
  CHECK_EQUAL(chunk.num_edges, 5);
  const std::vector<int64_t> first = {0, 2, 4, 5};
  for (int c = 0; c <= 3; c++) CHECK_EQUAL(chunk.first[c], first[c]);
  const std::vector<int> centre_types = {0, 1, 1}, neighbour_types = {1, 1, 0, 1, 1};
  for (int c = 0; c < 3; c++) CHECK_EQUAL(chunk.centre_types[c], centre_types[c]);
  const std::vector<double> dx = {-1.0, 1.0, -1.0, 1.0, -1.0};
  for (int e = 0; e < 5; e++) {
    CHECK_EQUAL(chunk.neighbour_types[e], neighbour_types[e]);
    CHECK_EQUAL(chunk.vectors[3 * e], dx[e]);
    CHECK_EQUAL(chunk.vectors[3 * e + 1], 0.0);
  }

  const Chain alone({1});
  find_edges(alone.view(), types, frame);
  fill_chunk(alone.view(), types, {2, 1.5, ChunkForm::Centres}, frame, 0, 1, chunk);
  CHECK_EQUAL(chunk.num_edges, 0);    // no padding
  CHECK_EQUAL(chunk.first[1], 0);
}

void test_tiny_chunks_are_padded_beyond_the_cutoff()
{
  const TypeTable types({-1, 0}, {1.5});
  const Chain chain({1, 1});
  EdgeFrame frame;
  find_edges(chain.view(), types, frame);
  EdgeChunk chunk;
  fill_chunk(chain.view(), types, {1, 1.5, ChunkForm::Slots}, frame, 0, 1, chunk);
  CHECK_EQUAL(chunk.num_edges, 1);
  CHECK_EQUAL(chunk.num_padded, 2);
  CHECK_EQUAL(chunk.index[1], 1);    // the padding slot comes after the centres: still sorted
  CHECK_EQUAL(chunk.vectors[3], 2.25);
}

void test_rounded_chunks_pad_with_small_centres()
{
  const TypeTable types({-1, 0, 1}, {9.5, 9.5, 9.5, 9.5});
  std::vector<int> mixed(40);
  for (int i = 0; i < 40; i++) mixed[i] = 1 + i % 2;
  const Chain chain(mixed);
  EdgeFrame frame;
  find_edges(chain.view(), types, frame);
  EdgeChunk exact, rounded;
  fill_chunk(chain.view(), types, {2, 9.5, ChunkForm::Slots}, frame, 3, 31, exact);
  fill_chunk(chain.view(), types, {2, 9.5, ChunkForm::RoundedSlots}, frame, 3, 31, rounded);

  const ChunkShape shape = rounded_shape(exact.num_edges, 31, 2);
  CHECK_EQUAL(rounded.num_edges, exact.num_edges);
  CHECK_EQUAL(rounded.num_padded, shape.edges);
  CHECK_EQUAL(rounded.num_slots, shape.slots);
  CHECK(shape.edges > exact.num_edges);
  CHECK(shape.slots > 31 + shape.padding_slots + 2);    // some slots are nobody's

  std::vector<int> of_slot(shape.slots, 0);
  for (int64_t e = 0; e < shape.edges; e++) {
    const int64_t centre = rounded.index[e], neighbour = rounded.index[shape.edges + e];
    if (e > 0) CHECK(centre >= rounded.index[e - 1]);
    of_slot[centre]++;
    if (e < exact.num_edges) {
      CHECK_EQUAL(centre, exact.index[e]);
      CHECK_EQUAL(rounded.types[neighbour], exact.types[exact.index[exact.num_padded + e]]);
      for (int d = 0; d < 3; d++) CHECK_EQUAL(rounded.vectors[3 * e + d], exact.vectors[3 * e + d]);
    } else {
      CHECK(centre >= 31 && centre < 31 + shape.padding_slots);
      CHECK_EQUAL(rounded.vectors[3 * e], 1.5 * 9.5);
      CHECK(neighbour >= 31 + shape.padding_slots && neighbour < shape.slots);
    }
  }
  for (int64_t slot = 31; slot < shape.slots; slot++) CHECK(of_slot[slot] <= MAX_EDGES_OF_PADDING_SLOT);
  for (int64_t slot = 0; slot < 31; slot++) CHECK_EQUAL(rounded.types[slot], exact.types[slot]);
  for (int64_t slot = 0; slot < shape.slots; slot++)
    CHECK(rounded.types[slot] == 0 || rounded.types[slot] == 1);
}

void test_buffers_are_kept()
{
  const TypeTable types({-1, 0}, {1.5});
  const Chain chain(std::vector<int>(10, 1));
  EdgeFrame frame;
  find_edges(chain.view(), types, frame);
  EdgeChunk chunk;
  fill_chunk(chain.view(), types, {1, 1.5, ChunkForm::RoundedSlots}, frame, 0, 10, chunk);
  const double *vectors = chunk.vectors.data();
  const int64_t *index = chunk.index.data();
  for (const int rows : {1, 7, 10}) {
    fill_chunk(chain.view(), types, {1, 1.5, ChunkForm::RoundedSlots}, frame, 0, rows, chunk);
    CHECK(chunk.vectors.data() == vectors);
    CHECK(chunk.index.data() == index);
  }
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
  test_a_frame_that_is_used_again();
  test_null_types_are_no_centres_and_no_neighbours();
  test_rank_without_atoms();
  test_edges_are_in_the_order_of_ids();
  test_images_of_an_atom_are_in_the_order_of_distances();
  test_atoms_at_one_place_or_at_none_are_told();
  test_more_edges_than_fit_into_32_bits();
  test_chunks_cover_all_rows_once();
  test_even_chunks();
  test_chunk_inputs_share_neighbour_slots();
  test_chunks_by_centres_hold_offsets_and_types();
  test_tiny_chunks_are_padded_beyond_the_cutoff();
  test_rounded_chunks_pad_with_small_centres();
  test_buffers_are_kept();
  test_stale_frames_are_known();
  return check::failures() == 0 ? 0 : 1;
}
