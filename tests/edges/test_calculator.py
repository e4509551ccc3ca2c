"""`E3DCalculator` against nequip's own calculator, finite differences, and what ASE does with calculators."""

from __future__ import annotations

import copy
import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.calculators.socketio import SocketClient, SocketIOCalculator
from ase.filters import FrechetCellFilter
from ase.md.velocitydistribution import thermalize_momenta
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS
from ase.phonons import Phonons

from e3d_lmp import E3DCalculator
from e3d_lmp.errors import E3DError
from random_models import random_allegro
from systems import SYSTEMS, cluster, nequip_calculator, reference_edges
from tolerances import LADDER, close

F64 = LADDER["float64"]


@pytest.fixture(scope="module")
def model(model_files) -> Path:
    return model_files("allegro-everything", "safetensors")


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Models of the same types and cutoffs with other weights."""
    from native_models import write_native

    folder = tmp_path_factory.mktemp("committee")
    return [
        write_native(random_allegro("everything", "float64", seed=seed), folder / f"{seed}.safetensors")
        for seed in (18, 19)
    ]


def structure(system: str) -> Atoms:
    atoms = SYSTEMS[system]() if system in SYSTEMS else cluster()
    del atoms.arrays["velocities"]
    if system == "slab":
        atoms.cell, atoms.pbc = np.diag([9.0, 9.0, 30.0]), [True, True, False]
    if system == "open":
        atoms.cell, atoms.pbc = np.zeros((3, 3)), False
    return atoms


@pytest.mark.parametrize("ending", ["safetensors", "pth"])
@pytest.mark.parametrize("system", [*SYSTEMS, "slab", "open"])
def test_equals_nequip(system: str, ending: str, model_files) -> None:
    """Energy, energies of atoms, forces and stress of nequip's calculator on the uncompiled model."""
    atoms = structure(system)
    reference = nequip_calculator(random_allegro("everything", "float64"))
    reference.calculate(atoms, ["energy", "forces", "stress"])
    calc = atoms.calc = E3DCalculator(model_files("allegro-everything", ending), device="cpu")
    energy = reference.results["energy"]
    close("energy", atoms.get_potential_energy(), energy, F64.total_energy)
    close("free energy", atoms.get_potential_energy(force_consistent=True), energy, F64.total_energy)
    close("energies", atoms.get_potential_energies(), reference.results["energies"].ravel(), F64.total_energy)
    close("forces", atoms.get_forces(), reference.results["forces"], F64.force)
    if system == "open":
        with pytest.raises(PropertyNotImplementedError):
            atoms.get_stress()
    else:
        close("stress", atoms.get_stress(), reference.results["stress"], F64.force)
        assert np.abs(atoms.get_stress()).max() > 1e-3
    assert calc.results["edges"].i.size > 60


@pytest.mark.parametrize("system", ["triclinic", "thin"])
def test_edges_equal_nequips_edge_model(system: str, model: Path) -> None:
    atoms = structure(system)
    atoms.calc = calc = E3DCalculator(model)
    atoms.get_forces()
    edges, want = calc.results["edges"], reference_edges(random_allegro("everything", "float64"), atoms)
    rounded = np.round(edges.vec * 1e5)
    order = np.lexsort([rounded[:, 2], rounded[:, 1], rounded[:, 0], edges.j, edges.i])
    np.testing.assert_array_equal(edges.i[order], want["tag1"])
    np.testing.assert_array_equal(edges.j[order], want["tag2"])
    close("eps", edges.eps[order], want["eps"], F64.total_energy)
    pairs = calc.pairs("model")
    close("sum of D", pairs.D.sum(), edges.eps.sum(), F64.total_energy)
    assert 0 < len(calc.pairs("covalent").D) < len(calc.pairs(2.2).D) < len(pairs.D)


@pytest.mark.parametrize("system", ["triclinic", "slab"])
def test_equals_finite_differences(system: str, model: Path) -> None:
    atoms = structure(system)
    atoms.calc = E3DCalculator(model, precision="float64")
    some = [0, 7, 13]
    numeric = calculate_numerical_forces(atoms, eps=1e-4, iatoms=some)
    np.testing.assert_allclose(atoms.get_forces()[some], numeric, atol=2e-6 * np.abs(numeric).max())
    strained = calculate_numerical_stress(atoms, eps=1e-5)
    np.testing.assert_allclose(atoms.get_stress(), strained, atol=1e-6 * np.abs(strained).max())


def test_results_do_not_depend_on_skin_or_threads(model: Path) -> None:
    """Bit by bit, over steps that keep a list, make a new one, and strain the cell."""
    rng = np.random.default_rng(8)
    calculators = [
        E3DCalculator(model, skin=skin, threads=threads) for skin, threads in ((0, 1), (1.0, 1), (0.3, 3))
    ]
    atoms = structure("triclinic")
    for step in range(12):
        atoms.positions += rng.normal(0.0, 0.03, atoms.positions.shape)
        if step % 4 == 3:
            atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.normal(0.0, 0.01, (3, 3))), scale_atoms=True)
        for calc in calculators:
            calc.calculate(atoms, ["forces"])
        first, *rest = (calc.results for calc in calculators)
        for other in rest:
            for name in ("energies", "forces", "stress"):
                np.testing.assert_array_equal(other[name], first[name])
            np.testing.assert_array_equal(other["edges"].eps, first["edges"].eps)
    built = [calc._neighbours.built for calc in calculators]
    assert built[0] == 12 and 1 <= built[1] < built[2] < 12


def test_dynamics_conserves_energy(model: Path) -> None:
    atoms = structure("triclinic")
    atoms.calc = E3DCalculator(model, precision="float64")
    BFGS(atoms, logfile=None).run(fmax=1.0, steps=40)
    thermalize_momenta(atoms, temperature_K=300, rng=np.random.default_rng(3))
    total = []
    run = VelocityVerlet(atoms, 0.2 * units.fs)
    run.attach(lambda: total.append(atoms.get_total_energy()), interval=5)
    run.run(100)
    assert np.ptp(total) < 0.02 * atoms.get_kinetic_energy()
    assert atoms.calc._neighbours.built < 30


def test_relaxation_of_atoms_and_cell_as_with_nequip(model: Path) -> None:
    energies = []
    for calc in (E3DCalculator(model), nequip_calculator(random_allegro("everything", "float64"))):
        atoms = structure("thin")
        atoms.calc = calc
        BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=0.0, steps=12)
        energies.append(atoms.get_potential_energy())
    np.testing.assert_allclose(energies[0], energies[1], rtol=1e-9)
    before = structure("thin")
    before.calc = E3DCalculator(model)
    assert energies[0] < before.get_potential_energy() - 0.5


def test_phonons_equal_those_of_nequip(model: Path, tmp_path: Path) -> None:
    crystal = Atoms("CO", scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5]], cell=np.diag([2.9] * 3), pbc=True)
    found = []
    for name, calc in (
        ("ours", E3DCalculator(model)),
        ("nequip", nequip_calculator(random_allegro("everything", "float64"))),
    ):
        phonons = Phonons(crystal, calc, supercell=(3, 3, 3), delta=0.01, name=str(tmp_path / name))
        phonons.run()
        phonons.read(acoustic=True)
        path = crystal.cell.bandpath("GXMR", npoints=12)
        found.append(phonons.get_band_structure(path, verbose=False).energies)
    np.testing.assert_allclose(found[0], found[1], atol=1e-7)
    assert np.abs(found[0]).max() > 1e-3


def test_a_socket_as_of_ipi(model: Path) -> None:
    """The protocol of i-PI, through ASE: energies and forces arrive unchanged."""
    atoms = structure("triclinic")
    client_atoms = atoms.copy()
    client_atoms.calc = E3DCalculator(model)
    name = f"e3d_test_{threading.get_native_id()}"
    with SocketIOCalculator(unixsocket=name, timeout=60) as server:
        client = SocketClient(unixsocket=name, timeout=60)
        thread = threading.Thread(target=client.run, args=(client_atoms,), kwargs={"use_stress": True})
        thread.start()
        atoms.calc = server
        forces, stress = atoms.get_forces(), atoms.get_stress()
    thread.join()
    direct = structure("triclinic")
    direct.calc = E3DCalculator(model)
    np.testing.assert_allclose(forces, direct.get_forces(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(stress, direct.get_stress(), rtol=1e-9, atol=1e-9)


def test_committee(model: Path, others: list[Path]) -> None:
    """The first drives; the spread is that of the calculators one by one."""
    atoms = structure("triclinic")
    together = E3DCalculator([model, *others])
    together.calculate(atoms)
    alone = [E3DCalculator(path) for path in (model, *others)]
    for calc in alone:
        calc.calculate(atoms)
    for name in ("energy", "forces", "stress"):
        np.testing.assert_array_equal(together.results[name], alone[0].results[name])
    forces = np.array([calc.results["forces"] for calc in alone])
    spread = np.sqrt(((forces - forces.mean(axis=0)) ** 2).sum(axis=2).mean(axis=0))
    np.testing.assert_allclose(together.results["force_spread"], spread, rtol=1e-12)
    eps = [calc.results["edges"].eps for calc in alone]
    np.testing.assert_array_equal(together.results["committee_eps"], eps)
    assert spread.min() > 1e-3 and "force_spread" not in alone[0].results


def test_committees_of_models_that_do_not_fit(model: Path, model_files) -> None:
    with pytest.raises(E3DError, match=r"plain.*cutoffs .*models of a committee have the same"):
        E3DCalculator([model, model_files("allegro-plain", "safetensors")])
    with pytest.raises(E3DError, match="type_elements"):
        E3DCalculator([model, model_files("allegro-metals", "safetensors")])
    with pytest.raises(E3DError, match="got none"):
        E3DCalculator([])


def test_copies(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pickled and deep copies work, from another folder too."""
    monkeypatch.chdir(model.parent)
    calc = E3DCalculator(model.name, precision="float32", threads=2)
    atoms = structure("triclinic")
    calc.calculate(atoms)
    monkeypatch.chdir(tmp_path)
    for other in (pickle.loads(pickle.dumps(calc)), copy.deepcopy(calc)):
        other.calculate(atoms)
        np.testing.assert_array_equal(other.results["forces"], calc.results["forces"])


def test_what_cannot_be_evaluated(model: Path, tmp_path: Path) -> None:
    calc = E3DCalculator(model)
    with pytest.raises(E3DError, match="ClNa: the model knows H C O, not Cl Na"):
        calc.calculate(Atoms("NaCl", positions=[[0, 0, 0], [0, 0, 2]]))
    with pytest.raises(E3DError, match="not finite"):
        calc.calculate(Atoms("CO", positions=[[0, 0, 0], [0, 0, np.nan]]))
    with pytest.raises(E3DError, match="another atom is at the same place"):
        calc.calculate(Atoms("CO", positions=[[0, 0, 0], [0, 0, 0]]))
    with pytest.raises(E3DError, match="without a cell vector"):
        calc.calculate(Atoms("CO", positions=[[0, 0, 0], [0, 0, 1]], pbc=True))
    with pytest.raises(E3DError, match="no edges yet"):
        E3DCalculator(model).pairs()
    with pytest.raises(E3DError, match="native engine runs on CPUs"):
        E3DCalculator(model, device="cuda")
    with pytest.raises(E3DError, match="no model file"):
        E3DCalculator(tmp_path / "none.safetensors")
    with pytest.raises(E3DError, match="skin"):
        E3DCalculator(model, skin=-1.0)


def test_none_and_one_atom(model: Path) -> None:
    calc = E3DCalculator(model)
    one = Atoms("C")
    one.calc = calc
    shift = dict(zip(calc.evaluators[0].model.type_elements, calc.evaluators[0].model.shifts, strict=True))
    assert one.get_potential_energy() == pytest.approx(shift["C"])
    assert not one.get_forces().any()
    none = Atoms()
    none.calc = E3DCalculator(model)
    assert none.get_potential_energy() == 0.0 and none.get_forces().shape == (0, 3)
