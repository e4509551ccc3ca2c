/* ----------------------------------------------------------------------
   e3d-lmp: edge energies of machine-learned potentials in LAMMPS
   Distributed under the GNU General Public License, version 2: see LICENSE
------------------------------------------------------------------------- */

// what pair_style e3d offers to styles that need both edges of a bond: the energies of the reverse
// edges, fetched from the ranks that own them, once per step and cutoff

#include "error_one.h"
#include "pair_e3d.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "update.h"

using namespace LAMMPS_NS;

/* ---------------------------------------------------------------------- */

std::vector<double> PairE3D::bond_cutoffs_squared(const E3D::BondCutoff &cutoff) const
{
  return E3D::bond_cutoffs_squared(cutoff, elements_of_types(), types);
}

/* ---------------------------------------------------------------------- */

int PairE3D::subscribe_bonds(const std::vector<double> &cutsq)
{
  for (std::size_t k = 0; k < bonds.size(); k++)
    if (bonds[k]->cutsq == cutsq) return static_cast<int>(k);
  bonds.push_back(std::make_unique<Bonds>());
  bonds.back()->cutsq = cutsq;
  subscribe_edges(E3D::BondedEdges::collected(cutsq));
  return static_cast<int>(bonds.size()) - 1;
}

/* ---------------------------------------------------------------------- */

const E3D::BondedEdges &PairE3D::bonded_edges(int subscription, const std::string &requested_by)
{
  const E3D::EdgeFrame &current = edge_frame(requested_by);
  Bonds &wanted = *bonds.at(subscription);
  pair_up(wanted, current, requested_by);
  return wanted.edges;
}

/* ----------------------------------------------------------------------
   once for an evaluation; collective
------------------------------------------------------------------------- */

void PairE3D::pair_up(Bonds &wanted, const E3D::EdgeFrame &current, const std::string &requested_by)
{
  if (wanted.evaluation == current.evaluation) return;
  E3D::BondedEdges &edges = wanted.edges;
  const double t0 = platform::walltime();
  fetch_atoms();
  edges.collect(current, {atom->nlocal, atom->nghost, atom->x, atom->tag, atom->type}, wanted.cutsq);
  int mine = edges.max_crossing();
  int most;
  MPI_Allreduce(&mine, &most, 1, MPI_INT, MPI_MAX, world);
  edges.begin_exchange(most);
  exchanged = &edges;
  for (exchange_pass = 0; exchange_pass < edges.num_passes(); exchange_pass++) forward_bonds();

  const int64_t unmatched = edges.match(labels, types);
  if (unmatched >= 0) refuse_unmatched(atom->tag[edges.edges()[unmatched].neighbour], requested_by);
  wanted.evaluation = current.evaluation;
  work.bond_seconds += platform::walltime() - t0;
}

/* ---------------------------------------------------------------------- */

void PairE3D::refuse_unmatched(tagint neighbour, const std::string &requested_by) const
{
  E3D::error_one(
      lmp, FLERR,
      "{}: on step {} the edge to atom {} has no reverse edge on any rank: has 'neigh_modify exclude' "
      "hidden it, or do atoms move without reneighbouring ('neigh_modify delay 0 every 1 check yes')?",
      requested_by, update->ntimestep, neighbour);
}

/* ---------------------------------------------------------------------- */

void PairE3D::forward_bonds()
{
  comm->forward_comm(this);
}

/* ---------------------------------------------------------------------- */

int PairE3D::pack_forward_comm(int n, int *list, double *buf, int /*pbc_flag*/, int * /*pbc*/)
{
  int m = 0;
  for (int k = 0; k < n; k++) m += exchanged->pack(exchange_pass, list[k], &buf[m]);
  work.bytes_sent += static_cast<bigint>(m) * sizeof(double);
  return m;
}

/* ---------------------------------------------------------------------- */

void PairE3D::unpack_forward_comm(int n, int first, double *buf)
{
  int m = 0;
  for (int ghost = first; ghost < first + n; ghost++) m += exchanged->unpack(ghost, &buf[m]);
}
