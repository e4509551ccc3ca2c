// usage: print_chunk FIRST_ROW NUM_ROWS CUTOFF R_MAX NUM_MODEL_TYPES TYPE...
// The chunk of a chain of atoms of these model types, 1 Angstrom apart, for tests/model/test_slots.py: vectors, centre
// slots, neighbour slots and types of slots, a line each.
#include "edges/chain.h"
#include "edges/edge_list.h"

#include <cstdio>
#include <cstdlib>
#include <vector>

using namespace E3D;

int main(int argc, char **argv)
{
  if (argc < 6) return 1;
  const int first_row = std::atoi(argv[1]), num_rows = std::atoi(argv[2]), num_types = std::atoi(argv[5]);
  const double cutoff = std::atof(argv[3]), r_max = std::atof(argv[4]);
  std::vector<int> map = {-1}, lammps_types;
  for (int t = 0; t < num_types; t++) map.push_back(t);
  for (int k = 6; k < argc; k++) lammps_types.push_back(std::atoi(argv[k]) + 1);

  const TypeTable types(map, std::vector<double>(num_types * num_types, cutoff));
  const Chain chain(lammps_types);
  EdgeFrame frame;
  find_edges(chain.view(), types, frame);
  EdgeChunk chunk;
  fill_chunk(chain.view(), types, {num_types, r_max, ChunkForm::Slots}, frame, first_row, num_rows, chunk);

  for (int64_t k = 0; k < 3 * chunk.num_padded; k++) std::printf("%.17g ", chunk.vectors[k]);
  std::printf("\n");
  for (int64_t k = 0; k < 2 * chunk.num_padded; k++)
    std::printf("%lld ", static_cast<long long>(chunk.index[k]));
  std::printf("\n");
  for (int64_t k = 0; k < chunk.num_slots; k++) std::printf("%lld ", static_cast<long long>(chunk.types[k]));
  std::printf("\n");
  return 0;
}
