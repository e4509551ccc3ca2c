/* -*- c++ -*- ----------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

#ifndef LMP_FIX_E3D_BONDS_H
#define LMP_FIX_E3D_BONDS_H

#include "fix.h"

#include "bonds/bond_state.h"
#include "bonds/bond_thresholds.h"
#include "bonds/bonded_edges.h"
#include "bonds/species.h"
#include "support/growing_file.h"

#include <functional>
#include <string>
#include <vector>

namespace LAMMPS_NS {

class FixE3DBonds : public Fix {
 public:
  FixE3DBonds(class LAMMPS *, int, char **);
  ~FixE3DBonds() override;
  int setmask() override;
  void init() override;
  void setup(int) override;
  void min_setup(int) override;
  void end_of_step() override;
  double compute_vector(int) override;
  double memory_usage() override;

  void grow_arrays(int) override;
  void copy_arrays(int, int, int) override;
  void set_arrays(int) override;
  int pack_exchange(int, double *) override;
  int unpack_exchange(int, double *) override;
  int pack_restart(int, double *) override;
  void unpack_restart(int, int) override;
  int size_restart(int) override;
  int maxsize_restart() override;
  void write_restart(FILE *) override;
  void restart(char *) override;
  void set_molecule(int, tagint, int, double *, double *, double *) override {}    // see fix_e3d_map.h

  int pack_forward_comm(int, int *, double *, int, int *) override;
  void unpack_forward_comm(int, int, double *) override;
  int pack_reverse_comm(int, int, double *) override;
  void unpack_reverse_comm(int, int *, double *) override;

 private:
  std::string name;    // for messages

  // settings

  E3D::BondCriterion criterion = E3D::BondCriterion::Energy;
  std::vector<E3D::ThresholdWord> form_words, break_words;
  std::vector<std::string> cutoff_words = {"covalent"};
  std::string events_path, species_path;    // species_path: empty without the keyword

  class PairE3D *pair = nullptr;
  int subscription = 0;         // to the pair style's bonds within our cutoff
  std::vector<double> cutsq;    // (ntypes+1)^2 squared bond cutoffs, row = centre
  E3D::BondThresholds thresholds;
  std::string events_header;            // of the file as it was begun
  std::vector<std::string> elements;    // of the run, in the order of the counts of a formula
  std::vector<int> element_of_type;     // (ntypes+1) in elements, -1 for NULL

  // state: what a restart file holds

  E3D::BondState bonds;    // of owned atoms
  bool begun = false;      // whether there has been a sample
  bigint num_bonds = 0, num_events = 0;
  bool species_wanted = false;    // by a file, or because a number of the vector was read
  bigint num_molecules = 0, num_species = 0;
  bigint newest_step = -1;     // sampled so far
  bigint restart_step = -1;    // of the restart file that the state comes from

  // files, on rank 0

  E3D::GrowingFile events_file, species_file;
  std::string last_species_row;

  // this sample

  std::vector<E3D::BondCandidate> candidates;    // of one atom
  std::vector<E3D::BondEvent> events;            // of this rank
  E3D::Components components;                    // of owned and ghost atoms
  std::vector<double> labels;                    // (nlocal+nghost) ids as bits, for communication
  E3D::SpeciesCount my_species;                  // of the molecules that this rank counts

  void parse(int, char **);
  int parse_threshold(int, int, char **, std::vector<E3D::ThresholdWord> &);
  void set_thresholds();
  void set_elements();
  void open_files();
  void on_rank_0(const std::function<void()> &);

  void sample();
  void find_candidates(const E3D::BondedEdges &, int);
  void check_number(int) const;
  std::vector<int> offsets_of(const std::vector<int> &counts, const char *what) const;    // of MPI_Gatherv
  void gather_events();
  void write_events(std::vector<E3D::BondEvent> &);

  void count_species();
  void find_components();
  void spread_labels();
  void add_up_compositions();
  static int add_up_parts(int, char *, int &, int *&, char *&, void *);
  void gather_species(E3D::SpeciesCount &);
};

}    // namespace LAMMPS_NS

#endif
