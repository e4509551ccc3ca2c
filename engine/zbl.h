// The screened nuclear repulsion of Ziegler, Biersack and Littmark that nequip adds to a model
// (nequip.nn.pair_potential.ZBL, constants of LAMMPS's pair_zbl), with nequip's polynomial cutoff.
#ifndef E3D_ENGINE_ZBL_H
#define E3D_ENGINE_ZBL_H

namespace e3d::engine {

// Energy of one of the two directed edges of a pair at r angstrom, eV, and its derivative, eV/angstrom.
// `prefactor` is half of e^2 / (4 pi eps_0), eV angstrom.
void evaluate_zbl(double charge_i, double charge_j, double prefactor, double cutoff_power, double cutoff,
                  double r, double &energy, double &derivative);

}    // namespace e3d::engine

#endif
