// Pairs of edges over ranks: two "ranks" in one process, whose ghosts are exchanged by hand.
#include "bonds/bonded_edges.h"
#include "check.h"

#include <algorithm>
#include <array>
#include <vector>

using namespace E3D;
using LAMMPS_NS::tagint;

namespace {

const PairLabels LABELS({"", "C", "H"});

// One rank's atoms and edges. Edges are given as (centre, neighbour, epsilon).
struct Rank {
  int nlocal;
  std::vector<std::array<double, 3>> position;
  std::vector<tagint> tag;
  std::vector<int> type;
  std::vector<const double *> x;
  EdgeFrame frame;
  BondedEdges bonds;

  AtomView view()
  {
    x.clear();
    for (const auto &p : position) x.push_back(p.data());
    return {nlocal, static_cast<int>(tag.size()) - nlocal, x.data(), tag.data(), type.data()};
  }

  void edges(const std::vector<std::array<double, 3>> &list)
  {
    frame = EdgeFrame();
    frame.offset = {0};
    for (int i = nlocal - 1; i >= 0; i--) {    // rows in another order than the atoms
      for (const auto &edge : list)
        if (static_cast<int>(edge[0]) == i) {
          frame.neighbour.push_back(static_cast<int>(edge[1]));
          frame.eps.push_back(edge[2]);
        }
      frame.centre.push_back(i);
      frame.offset.push_back(static_cast<int64_t>(frame.neighbour.size()));
    }
  }
};

// ghosts of `to` are copies of the owned atoms of `from` with the same tag
void exchange(Rank &to, const Rank &from, int passes)
{
  std::vector<double> buffer(BondedEdges::max_doubles());
  for (int pass = 0; pass < passes; pass++)
    for (int ghost = to.nlocal; ghost < static_cast<int>(to.tag.size()); ghost++)
      for (int i = 0; i < from.nlocal; i++)
        if (from.tag[i] == to.tag[ghost]) {
          const int packed = from.bonds.pack(pass, i, buffer.data());
          CHECK(packed <= BondedEdges::max_doubles());
          CHECK_EQUAL(to.bonds.unpack(ghost, buffer.data()), packed);
        }
}

int64_t pair_up(Rank &a, Rank &b, double cutoff, const TypeTable &model)
{
  const std::vector<double> cutsq(9, cutoff * cutoff);
  a.bonds.collect(a.frame, a.view(), cutsq);
  b.bonds.collect(b.frame, b.view(), cutsq);
  const int most = std::max(a.bonds.max_crossing(), b.bonds.max_crossing());
  a.bonds.begin_exchange(most);
  b.bonds.begin_exchange(most);
  exchange(a, b, a.bonds.num_passes());
  exchange(b, a, b.bonds.num_passes());
  return std::max(a.bonds.match(LABELS, model), b.bonds.match(LABELS, model));
}

// C (id 5) on rank a with H (id 3) on rank b; each sees the other as a ghost
void make_bond(Rank &a, Rank &b, double length)
{
  a = {1, {{0, 0, 0}, {length, 0, 0}}, {5, 3}, {1, 2}, {}, {}, {}};
  b = {1, {{length, 0, 0}, {0, 0, 0}}, {3, 5}, {2, 1}, {}, {}, {}};
  a.edges({{0, 1, -1.0}});
  b.edges({{0, 1, -2.0}});
}

const TypeTable MODEL({-1, 0, 1}, {5.0, 5.0, 5.0, 5.0});

void test_bond_across_ranks()
{
  Rank a, b;
  make_bond(a, b, 1.1);
  CHECK_EQUAL(pair_up(a, b, 1.5, MODEL), -1);
  CHECK_EQUAL(a.bonds.pairs().size(), 1);    // carbon is the first atom: its rank reports the pair
  CHECK_EQUAL(b.bonds.pairs().size(), 0);
  const auto &bond = a.bonds.pairs()[0];
  CHECK(bond.first == 0 && bond.second == 1 && !bond.flipped);
  CHECK(bond.e12 == -1.0 && bond.e21 == -2.0 && bond.D() == -3.0 && bond.A() == 1.0);
  CHECK(b.bonds.edges()[0].reverse == -1.0);
}

// two ranks may round a distance differently: whoever owns the first atom decides
void test_rounding_at_the_cutoff()
{
  for (const double shift : {-1e-12, 1e-12}) {
    Rank a, b;
    make_bond(a, b, 1.5 + shift);
    b.position[0][0] = 1.5 - shift;    // the other rank sees it on the other side
    CHECK_EQUAL(pair_up(a, b, 1.5, MODEL), -1);
    CHECK_EQUAL(a.bonds.pairs().size() + b.bonds.pairs().size(), shift < 0.0 ? 1 : 0);
  }
}

void test_beyond_the_directed_cutoff()
{
  const TypeTable one_way({-1, 0, 1}, {5.0, 1.0, 5.0, 5.0});    // C does not see H at 1.4
  Rank a, b;
  make_bond(a, b, 1.4);
  a.edges({});
  CHECK_EQUAL(pair_up(a, b, 2.0, one_way), -1);
  CHECK_EQUAL(a.bonds.pairs().size(), 0);
  CHECK_EQUAL(b.bonds.pairs().size(), 1);
  const auto &bond = b.bonds.pairs()[0];
  CHECK(bond.flipped && bond.first == 1 && bond.second == 0 && bond.e12 == 0.0 && bond.e21 == -2.0);

  Rank c, d;
  make_bond(c, d, 1.4);
  c.edges({});
  CHECK_EQUAL(pair_up(c, d, 2.0, MODEL), 0);    // within its cutoff the edge has to be somewhere
}

// more edges than one pass carries, all between the same two atoms: images of a pair in a thin box
void test_many_images()
{
  Rank a{1, {{0, 0, 0}}, {7}, {1}, {}, {}, {}}, b{1, {{0, 0, 0}}, {9}, {1}, {}, {}, {}};
  std::vector<std::array<double, 3>> a_edges, b_edges;
  const int images = 25;
  for (int k = 1; k <= images; k++) {
    a.position.push_back({0.1, 0.0, 0.7 * k});
    b.position.push_back({-0.1, 0.0, -0.7 * (images + 1 - k)});
    a.tag.push_back(9);
    b.tag.push_back(7);
    a.type.push_back(1);
    b.type.push_back(1);
    a_edges.push_back({0.0, static_cast<double>(k), 1.0 * k});
    b_edges.push_back({0.0, static_cast<double>(k), 100.0 * (images + 1 - k)});
  }
  a.edges(a_edges);
  b.edges(b_edges);
  const TypeTable far({-1, 0, 1}, {50.0, 50.0, 50.0, 50.0});
  const std::vector<double> cutsq(9, 2500.0);
  a.bonds.collect(a.frame, a.view(), cutsq);
  b.bonds.collect(b.frame, b.view(), cutsq);
  CHECK_EQUAL(a.bonds.max_crossing(), images);
  a.bonds.begin_exchange(images);
  b.bonds.begin_exchange(images);
  CHECK_EQUAL(a.bonds.num_passes(), 3);
  // every ghost of a is an image of b's atom: all of them receive all its entries
  exchange(a, b, 3);
  exchange(b, a, 3);
  CHECK_EQUAL(a.bonds.match(LABELS, far), -1);
  CHECK_EQUAL(a.bonds.pairs().size(), images);
  for (const auto &bond : a.bonds.pairs()) CHECK(bond.e21 == 100.0 * bond.e12);
}

void test_spread_over_a_committee()
{
  Rank a, b;
  make_bond(a, b, 1.1);
  a.frame.members = b.frame.members = 2;
  a.frame.member_eps = {-1.5, -0.5};    // D of the three models: -3, -3.7, -2.3
  b.frame.member_eps = {-2.2, -1.8};
  CHECK_EQUAL(pair_up(a, b, 1.5, MODEL), -1);
  const auto &bond = a.bonds.pairs()[0];
  CHECK(std::fabs(a.bonds.std_D(bond) - std::sqrt(2.0 * 0.49 / 3.0)) < 1e-14);
  CHECK(std::fabs(a.bonds.std_A(bond) - std::sqrt(2.0 * 0.09 / 3.0)) < 1e-14);    // 1, 0.7, 1.3
}

void test_empty_rank()
{
  Rank a{0, {}, {}, {}, {}, {}, {}}, b{0, {}, {}, {}, {}, {}, {}};
  a.frame.offset = b.frame.offset = {0};
  CHECK_EQUAL(pair_up(a, b, 1.5, MODEL), -1);
  CHECK(a.bonds.pairs().empty() && a.bonds.num_passes() == 0);
}

}    // namespace

int main()
{
  test_bond_across_ranks();
  test_rounding_at_the_cutoff();
  test_beyond_the_directed_cutoff();
  test_many_images();
  test_spread_over_a_committee();
  test_empty_rank();
  return check::failures() == 0 ? 0 : 1;
}
