// A small hand-made neighbour list.
#ifndef E3D_TESTS_CHAIN_H
#define E3D_TESTS_CHAIN_H

#include "edges/edge_list.h"

#include <vector>

constexpr int NEIGHBOUR_MASK = 0x1FFFFFFF;
constexpr int SPECIAL = 1 << 30;    // LAMMPS marks special neighbours in the upper bits

// a chain of atoms on the x axis, 1 Angstrom apart, everybody in everybody's list
struct Chain {
  std::vector<std::vector<double>> positions;
  std::vector<double *> x;
  std::vector<int> type, ilist, numneigh;
  std::vector<LAMMPS_NS::tagint> tag;
  std::vector<std::vector<int>> lists;
  std::vector<int *> firstneigh;

  explicit Chain(const std::vector<int> &types) : type(types)
  {
    const int n = static_cast<int>(types.size());
    for (int i = 0; i < n; i++) {
      positions.push_back({1.0 * i, 0.0, 0.0});
      ilist.push_back(i);
      tag.push_back(i + 1);
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

  E3D::NeighborView view() const
  {
    return {static_cast<int>(ilist.size()),
            ilist.data(),
            numneigh.data(),
            firstneigh.data(),
            NEIGHBOUR_MASK,
            x.data(),
            type.data(),
            tag.data()};
  }
};

#endif
