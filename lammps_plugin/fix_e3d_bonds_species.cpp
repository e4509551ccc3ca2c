/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

// the molecules of fix e3d/bonds: connected components of its bonds over all ranks, and their formulas

#include "error_one.h"
#include "fix_e3d_bonds.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "update.h"

#include <cstring>
#include <stdexcept>
#include <unordered_map>
#include <utility>

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

void FixE3DBonds::count_species()
{
  find_components();
  spread_labels();
  add_up_compositions();
  E3D::SpeciesCount all;
  gather_species(all);

  bigint numbers[2] = {all.molecules(), all.species()};
  MPI_Bcast(numbers, 2, MPI_LMP_BIGINT, 0, world);
  num_molecules = numbers[0];
  num_species = numbers[1];
  if (!species_file.is_open()) return;    // other ranks, or no file was asked for

  // the step on which a run ends and the next one begins is sampled twice
  const std::string row =
      fmt::format("{} {} {} {}", update->ntimestep, num_molecules, num_species, all.words());
  if (row == last_species_row) return;
  last_species_row = row;
  std::string message;
  try {
    species_file.append(row + "\n");
  } catch (const std::runtime_error &e) {
    message = e.what();
  }
  if (!message.empty()) E3D::error_one(lmp, FLERR, "{}: {}", name, message);
}

/* ----------------------------------------------------------------------
   what is connected on this rank. An atom may be here several times: its owned self stands for its
   images, and so does one of them where it has no owned self.
------------------------------------------------------------------------- */

void FixE3DBonds::find_components()
{
  const int nall = atom->nlocal + atom->nghost;
  components.reset(std::vector<int64_t>(atom->tag, atom->tag + nall));

  std::unordered_map<tagint, int> atom_of_id;
  atom_of_id.reserve(nall);
  for (int i = 0; i < nall; i++) atom_of_id.emplace(atom->tag[i], i);    // the first one stays
  for (int i = 0; i < atom->nlocal; i++)
    for (int k = 0; k < bonds.num_bonds(i); k++) {
      // between samples a partner may have gone out of sight: the bond is then counted as broken
      const auto partner = atom_of_id.find(static_cast<tagint>(bonds.partner(i, k)));
      if (partner != atom_of_id.end()) components.unite(i, partner->second);
    }
}

/* ----------------------------------------------------------------------
   ghosts tell their owners the lowest id they are connected to and learn it from them, until nothing
   changes on any rank
------------------------------------------------------------------------- */

void FixE3DBonds::spread_labels()
{
  const int nlocal = atom->nlocal, nall = nlocal + atom->nghost;
  labels.resize(nall);
  for (int changed = 1; changed;) {
    int mine = 0;
    for (int i = 0; i < nall; i++) labels[i] = ubuf(components.label(i)).d;
    comm->reverse_comm(this, 1);
    for (int i = 0; i < nlocal; i++) mine |= components.lower(i, ubuf(labels[i]).i);
    for (int i = 0; i < nlocal; i++) labels[i] = ubuf(components.label(i)).d;
    comm->forward_comm(this, 1);
    for (int i = nlocal; i < nall; i++) mine |= components.lower(i, ubuf(labels[i]).i);
    MPI_Allreduce(&mine, &changed, 1, MPI_INT, MPI_MAX, world);
  }
}

/* ---------------------------------------------------------------------- */

int FixE3DBonds::pack_reverse_comm(int n, int first, double *buf)
{
  memcpy(buf, &labels[first], n * sizeof(double));
  return n;
}

void FixE3DBonds::unpack_reverse_comm(int n, int *list, double *buf)
{
  for (int k = 0; k < n; k++)
    if (ubuf(buf[k]).i < ubuf(labels[list[k]]).i) labels[list[k]] = buf[k];
}

int FixE3DBonds::pack_forward_comm(int n, int *list, double *buf, int /*pbc_flag*/, int * /*pbc*/)
{
  for (int k = 0; k < n; k++) buf[k] = labels[list[k]];
  return n;
}

void FixE3DBonds::unpack_forward_comm(int n, int first, double *buf)
{
  memcpy(&labels[first], buf, n * sizeof(double));
}

/* ----------------------------------------------------------------------
   a molecule may span ranks: its parts meet on the rank that its label names. A part is the label and
   the number of atoms of each element.
------------------------------------------------------------------------- */

void FixE3DBonds::add_up_compositions()
{
  const std::size_t width = 1 + elements.size();
  std::unordered_map<int64_t, std::size_t> part_of_label;
  std::vector<int64_t> parts;
  for (int i = 0; i < atom->nlocal; i++) {
    const int element = element_of_type[atom->type[i]];
    if (!(atom->mask[i] & groupbit) || element < 0) continue;
    const int64_t label = components.label(i);
    const auto found = part_of_label.emplace(label, parts.size());
    if (found.second) {
      parts.push_back(label);
      parts.resize(parts.size() + elements.size(), 0);
    }
    parts[found.first->second + 1 + element]++;
  }

  const int count = static_cast<int>(part_of_label.size());
  std::vector<int> ranks(count);
  for (int k = 0; k < count; k++) {
    const uint64_t hash = static_cast<uint64_t>(parts[k * width]) * 0x9E3779B97F4A7C15ULL;
    ranks[k] = static_cast<int>((hash >> 32) % comm->nprocs);
  }
  my_species.clear();
  char *nothing = nullptr;
  comm->rendezvous(0, count, reinterpret_cast<char *>(parts.data()),
                   static_cast<int>(width * sizeof(int64_t)), 0, ranks.data(), add_up_parts, 0, nothing, 0,
                   this);
}

/* ---------------------------------------------------------------------- */

int FixE3DBonds::add_up_parts(int n, char *inbuf, int &flag, int *& /*procs*/, char *& /*outbuf*/, void *ptr)
{
  auto *self = static_cast<FixE3DBonds *>(ptr);
  const std::size_t num_elements = self->elements.size();
  const auto *parts = reinterpret_cast<const int64_t *>(inbuf);

  std::unordered_map<int64_t, std::vector<int64_t>> molecules;
  for (int k = 0; k < n; k++, parts += 1 + num_elements) {
    auto &counts = molecules[parts[0]];
    counts.resize(num_elements, 0);
    for (std::size_t e = 0; e < num_elements; e++) counts[e] += parts[1 + e];
  }
  for (const auto &molecule : molecules)
    self->my_species.add(E3D::hill_formula(self->elements, molecule.second.data()), 1);
  flag = 0;    // nothing goes back
  return 0;
}

/* ----------------------------------------------------------------------
   the formulas of all ranks on rank 0
------------------------------------------------------------------------- */

void FixE3DBonds::gather_species(E3D::SpeciesCount &all)
{
  std::string words = my_species.words() + " ";
  int mine = static_cast<int>(words.size());
  std::vector<int> counts(comm->nprocs);
  MPI_Gather(&mine, 1, MPI_INT, counts.data(), 1, MPI_INT, 0, world);
  std::vector<int> offsets = offsets_of(counts, "formulas");
  std::string gathered(comm->me == 0 ? offsets.back() + counts.back() : 0, ' ');
  MPI_Gatherv(&words[0], mine, MPI_CHAR, &gathered[0], counts.data(), offsets.data(), MPI_CHAR, 0, world);
  if (comm->me == 0) all.add_words(gathered);
}
