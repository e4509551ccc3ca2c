"""How well does the share of unvisited (D, A) bins find frames with large force errors?

    e3d data prepare scripts/training/organic_small_data.yaml -o DATA --source FILE
    python scripts/novelty/large_errors.py run OUT --data DATA --teacher aimnet2_wb97m-d3_0.jpt
    python scripts/novelty/large_errors.py result OUT -o scripts/novelty/large_errors.json \\
        --figure docs/images/novelty_errors.png

FILE, in the SPICE layout, has the labels of the training set of `organic-small`, and of the `organic` of
2026-11-21 with which the numbers of docs/novelty.md were made: put that one's .safetensors in place of the
shipped one's to make them again. `run` makes the map of that set,
takes molecules that were kept out of it, lets the model itself drive them at temperatures up to 3,000 K,
stretches bonds of theirs, and labels these frames with AIMNet2, the level of the training set (near DFT, not
DFT; a file that you have, see `e3d_lmp.training.data.aimnet2`). Each step is kept in OUT and not made twice.
`result` asks of each signal how often it is larger in a frame with a large force error than in one without
(the area under the curve of true against false alarms; 0.5 is chance), with intervals from drawing molecules
with replacement.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import covalent_radii
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution, Stationary
from ase.optimize import FIRE
from scipy.stats import rankdata, spearmanr
from tqdm import tqdm

from e3d_lmp import E3DCalculator
from e3d_lmp.analysis.maps import write_map
from e3d_lmp.analysis.novelty import Novelty, ReferenceMap
from e3d_lmp.analysis.reducers import MapReducer
from e3d_lmp.edges.cutoffs import parse_cutoff
from e3d_lmp.edges.evaluate import evaluate_structures
from e3d_lmp.edges.evaluator import EdgeEvaluator
from e3d_lmp.edges.frames import EdgeFrame
from e3d_lmp.edges.pairs import PairFrame, Pairing
from e3d_lmp.edges.structures import Structure
from e3d_lmp.errors import E3DError
from e3d_lmp.files import atomic_path, make_folder, read_json, write_json
from e3d_lmp.model.contract import read_metadata
from e3d_lmp.tables import Column, write_csv
from e3d_lmp.training.data.database import iter_frames
from e3d_lmp.training.data.split import bonded_pairs, molecule_key

MODELS = Path(__file__).resolve().parents[2] / "inputs" / "models"
MODEL, SECOND = MODELS / "organic.safetensors", MODELS / "organic-small.safetensors"
CUTOFFS = ("covalent", "paper")
"""Bond cutoffs of the maps: 1.3 times the covalent radii, and 2.2 angstrom."""
TEMPERATURES = (300, 600, 1000, 1500, 2000, 3000)  # K
STRETCHES = (1.1, 1.2, 1.3, 1.45, 1.6)  # of one bond, times its relaxed length
STEP, STEPS, FRICTION = 0.5, 300, 0.02  # fs, of them, 1/fs
MOLECULES, SIZES = 40, (4, 16)  # how many, of so many atoms
LARGE = (0.2, 0.5, 1.0)
"""eV/angstrom: root mean squares of the error of a frame's force components from which on it is large."""
REPEATS, SEED = 2000, 1

SIGNALS = {
    "share_covalent": "unvisited bins, covalent bonds",
    "share_paper": "unvisited bins, pairs to 2.2 Å",
    "sigma_D_mean": "committee's σ(D), mean",
    "sigma_D_max": "committee's σ(D), largest",
    "force_spread_max": "committee's force spread, largest",
    "force_max": "largest force of the model",
    "energy": "energy per atom above the relaxed molecule",
    "closeness": "shortest distance (over covalent radii, reversed)",
    "temperature": "temperature of the thermostat (hot frames only)",
}


def make_references(out: Path, data: Path) -> dict[str, ReferenceMap]:
    """The maps of the training set of the model, for each bond cutoff."""
    paths = {name: out / f"training.{name}.e3d" for name in CUTOFFS}
    if not all(path.exists() for path in paths.values()):
        evaluator = EdgeEvaluator(MODEL)
        pairings = _pairings(evaluator)
        reducers = {name: MapReducer(parse_cutoff([name]).name) for name in CUTOFFS}
        frames = enumerate(_structures(data / "train.lmdb"))
        for one in tqdm(evaluate_structures(evaluator, frames), desc="training set", disable=None):
            for name, reducer in reducers.items():
                reducer.add(pairings[name].pair(one.frame))
        about = {
            "model_source": evaluator.model.source_sha256,
            "types": " ".join(evaluator.model.type_elements),
        }
        for name, path in paths.items():
            write_map(replace(reducers[name].result(), provenance=about), path)
    return {name: ReferenceMap.read(path) for name, path in paths.items()}


def _structures(database: Path) -> Any:
    for number, frame in enumerate(iter_frames(database)):
        numbers = frame["atomic_numbers"].reshape(-1).numpy().astype(np.int64)
        positions = frame["pos"].double().numpy()
        none = np.zeros((3, 3)), np.zeros(3, dtype=bool)
        yield Structure(f"{database.stem}/{number}", numbers, positions, *none, np.nan)


def _pairings(evaluator: EdgeEvaluator) -> dict[str, Pairing]:
    elements = tuple(evaluator.model.type_elements)
    return {
        name: Pairing(elements, parse_cutoff([name]).matrix(elements), evaluator.cutoffs) for name in CUTOFFS
    }


def make_frames(out: Path, data: Path) -> list[Atoms]:
    """Held-out molecules: relaxed, hot, with one bond stretched."""
    path = out / "frames.extxyz"
    if path.exists():
        return ase.io.read(path, index=":")
    molecules: dict[str, Structure] = {}
    for one in _structures(data / "test.lmdb"):
        if SIZES[0] <= len(one.numbers) <= SIZES[1] and _is_one(one):
            molecules.setdefault(molecule_key(one.numbers, one.positions), one)
    rng = np.random.default_rng(SEED)
    chosen = sorted(molecules)
    chosen = [chosen[k] for k in rng.permutation(len(chosen))[:MOLECULES]]
    made: list[Atoms] = []
    for number, key in enumerate(tqdm(chosen, desc="frames", disable=None)):
        atoms = Atoms(molecules[key].numbers, molecules[key].positions, calculator=E3DCalculator(MODEL))
        FIRE(atoms, logfile=None).run(0.05, 300)
        name = f"{number}/{atoms.get_chemical_formula()}"
        made.append(_named(atoms, name, "relaxed"))
        made += [_named(_hot(atoms, t, rng), name, "hot", temperature=float(t)) for t in TEMPERATURES]
        made += [_named(_stretched(atoms, s, rng), name, "stretched", stretch=s) for s in STRETCHES]
    _write(made, path)
    return made


def _write(frames: Sequence[Atoms], path: Path) -> None:
    """Whole or not at all: a file that is there is not made again."""
    with atomic_path(path) as partial:
        ase.io.write(partial, frames)


def _is_one(structure: Structure) -> bool:
    """Whether all atoms hang together, as those of a cluster do not."""
    reached, bonds = {0}, bonded_pairs(structure.numbers, structure.positions).tolist()
    for _ in structure.numbers:
        reached |= {k for bond in bonds if set(bond) & reached for k in bond}
    return len(reached) == len(structure.numbers)


def _named(atoms: Atoms, molecule: str, kind: str, **more: float) -> Atoms:
    copy = Atoms(atoms.numbers, atoms.positions)
    copy.info.update({"molecule": molecule, "kind": kind, **more})
    return copy


def _hot(relaxed: Atoms, temperature: float, rng: np.random.Generator) -> Atoms:
    """After a short run of the model itself; cold start, so that atoms are not thrown together."""
    atoms = relaxed.copy()
    atoms.calc = E3DCalculator(MODEL)
    MaxwellBoltzmannDistribution(atoms, temperature_K=temperature, rng=rng)
    Stationary(atoms)
    Langevin(
        atoms, STEP * units.fs, temperature_K=temperature, friction=FRICTION / units.fs, rng=rng, fixcm=False
    ).run(STEPS)
    return atoms


def _stretched(relaxed: Atoms, factor: float, rng: np.random.Generator) -> Atoms:
    """One bond drawn apart, both its sides moved as they are; in a ring the lighter atom alone. All atoms are
    displaced a little."""
    bonds = bonded_pairs(relaxed.numbers, relaxed.positions)
    i, j = bonds[rng.integers(len(bonds))].tolist()
    side, rest = {j}, [set(bond) for bond in bonds.tolist() if set(bond) != {i, j}]
    for _ in range(len(relaxed)):
        side |= {k for bond in rest if bond & side for k in bond}
    if i in side:
        i, j = sorted((i, j), key=lambda k: -relaxed.numbers[k])
        side = {j}
    atoms = relaxed.copy()
    atoms.positions[sorted(side)] += (factor - 1.0) * (relaxed.positions[j] - relaxed.positions[i])
    atoms.positions += rng.normal(0.0, 0.03, atoms.positions.shape)
    return atoms


def label(out: Path, frames: Sequence[Atoms], teacher: Path) -> list[Atoms]:
    """The frames with the teacher's energies and forces."""
    from e3d_lmp.training.data.aimnet2 import AIMNet2

    path = out / "labels.extxyz"
    if not path.exists():
        model, labelled = AIMNet2(teacher), []
        for frame in tqdm(frames, desc="labels", disable=None):
            energy, forces = model(frame.numbers, frame.positions)
            copy = frame.copy()
            copy.calc = SinglePointCalculator(copy, energy=energy, forces=forces)
            labelled.append(copy)
        write_json(out / "teacher.json", {"sha256": model.sha256})
        _write(labelled, path)
    return ase.io.read(path, index=":")


def signals_of(frames: Sequence[Atoms], references: dict[str, ReferenceMap]) -> list[dict[str, Any]]:
    """Force error and all signals of each frame."""
    calculator = E3DCalculator([MODEL, SECOND])
    pairings = _pairings(calculator.evaluators[0])
    rows, relaxed = [], {}
    for frame in tqdm(frames, desc="signals", disable=None):
        atoms = Atoms(frame.numbers, frame.positions, calculator=calculator)
        forces, found = atoms.get_forces(), calculator.results
        miss, energy = forces - frame.get_forces(), found["energy"] / len(atoms)
        if frame.info["kind"] == "relaxed":
            relaxed[frame.info["molecule"]] = energy
        edges: EdgeFrame = found["edges"]
        D = [_pairs(pairings["covalent"], edges, eps).D for eps in found["committee_eps"]]
        sigma = np.std(D, axis=0)
        shares: dict[str, Novelty] = {
            name: references[name].of_frame(pairings[name].pair(edges)) for name in CUTOFFS
        }
        radii = covalent_radii[frame.numbers]
        apart = frame.get_all_distances() / (radii[:, None] + radii[None])
        rows.append(
            {
                "molecule": frame.info["molecule"],
                "kind": frame.info["kind"],
                "atoms": len(frame),
                "force_error": float(np.sqrt(np.mean(miss**2))),
                "largest_error": float(np.linalg.norm(miss, axis=1).max()),
                "largest_reference_force": float(np.linalg.norm(frame.get_forces(), axis=1).max()),
                **{f"share_{name}": one.share for name, one in shares.items()},
                "sigma_D_mean": float(sigma.mean()),
                "sigma_D_max": float(sigma.max()),
                "force_spread_max": float(found["force_spread"].max()),
                "force_max": float(np.linalg.norm(forces, axis=1).max()),
                "energy": float(energy - relaxed[frame.info["molecule"]]),
                "closeness": float(-apart[np.triu_indices(len(frame), 1)].min()),
                "temperature": float(frame.info.get("temperature", np.nan)),
                "stretch": float(frame.info.get("stretch", np.nan)),
            }
        )
    return rows


def _pairs(pairing: Pairing, edges: EdgeFrame, eps: np.ndarray) -> PairFrame:
    return pairing.pair(replace(edges, eps=eps))


def noise(data: Path, references: dict[str, ReferenceMap]) -> dict[str, dict[str, float]]:
    """Share of unvisited bins over all bonds of the held-out set itself, and of its frames."""
    evaluator = EdgeEvaluator(MODEL)
    pairings = _pairings(evaluator)
    found: dict[str, list[Novelty]] = {name: [] for name in CUTOFFS}
    for one in evaluate_structures(evaluator, enumerate(_structures(data / "test.lmdb"))):
        for name in CUTOFFS:
            found[name].append(references[name].of_frame(pairings[name].pair(one.frame)))
    return {
        name: {
            "frames": len(ones),
            "share": sum(sum(one.unvisited.values()) for one in ones)
            / sum(sum(one.bonds.values()) for one in ones),
            "frames_with_any": float(np.mean([one.share > 0.0 for one in ones])),
            "share_95_percent_of_frames_below": float(np.quantile([one.share for one in ones], 0.95)),
        }
        for name, ones in found.items()
    }


def area(signal: np.ndarray, is_large: np.ndarray) -> float:
    """Area under the curve of true against false alarms: how often a large one has the larger signal, ties
    half (Mann-Whitney); nan where all are of one kind."""
    large, all_of = int(is_large.sum()), is_large.size
    if large in (0, all_of):
        return np.nan
    return float((rankdata(signal)[is_large].sum() - large * (large + 1) / 2) / (large * (all_of - large)))


def areas(rows: Sequence[dict[str, Any]], threshold: float, names: Sequence[str]) -> dict[str, Any]:
    """Area of each signal, and its 95 % interval from drawing molecules with replacement."""
    is_large = np.array([row["force_error"] > threshold for row in rows])
    values = {name: np.array([row[name] for row in rows]) for name in names}
    molecule = np.array([row["molecule"] for row in rows])
    members = [np.flatnonzero(molecule == name) for name in sorted(set(molecule))]
    rng = np.random.default_rng(SEED)
    drawn = [
        np.concatenate([members[k] for k in rng.integers(len(members), size=len(members))])
        for _ in range(REPEATS)
    ]
    result: dict[str, Any] = {"frames": len(rows), "large": int(is_large.sum())}
    for name in names:
        again = [area(values[name][rows_of], is_large[rows_of]) for rows_of in drawn]
        result[name] = [area(values[name], is_large), *np.nanquantile(again, (0.025, 0.975)).tolist()]
    return result


def alarms(rows: Sequence[dict[str, Any]], threshold: float, name: str) -> dict[str, float]:
    """What "any bond in an unvisited bin" says of large force errors: share of the frames that it names which
    have one, and share of those with one that it names, beside how common they are."""
    named = np.array([row[name] > 0.0 for row in rows])
    is_large = np.array([row["force_error"] > threshold for row in rows])
    return {
        "named": float(named.mean()),
        "large_of_named": float(is_large[named].mean()),
        "named_of_large": float(named[is_large].mean()),
        "large_of_all": float(is_large.mean()),
    }


def run(out: Path, data: Path, teacher: Path) -> None:
    """All steps up to the rows."""
    make_folder(out)
    references = make_references(out, data)
    labelled = label(out, make_frames(out, data), teacher)
    write_json(
        out / "rows.json",
        {
            "teacher": read_json(out / "teacher.json"),
            "noise": noise(data, references),
            "reference": {
                name: {
                    "frames": one.map.samples,
                    "bonds": sum(label.count for label in one.map.labels.values()),
                    "bins": sum(label.codes.size for label in one.map.labels.values()),
                }
                for name, one in references.items()
            },
            "rows": signals_of(labelled, references),
        },
    )


def result(made: dict[str, Any]) -> dict[str, Any]:
    """Areas by kind of frame and threshold, what a plain alarm is worth, rank correlations."""
    rows = [row for row in made["rows"] if row["kind"] != "relaxed"]
    kinds = {
        "all": rows,
        **{kind: [row for row in rows if row["kind"] == kind] for kind in ("hot", "stretched")},
    }
    error = np.array([row["force_error"] for row in rows])
    names = {kind: [name for name in SIGNALS if kind == "hot" or name != "temperature"] for kind in kinds}
    return {
        "what": __doc__.split("\n")[0],
        "model": "organic",
        "committee": ["organic", "organic-small"],
        "checkpoint": read_metadata(MODEL).source_sha256,
        "teacher": {"name": "AIMNet2 (wB97M-D3, ensemble member 0), not DFT", **made["teacher"]},
        "frames": {
            "molecules": len({row["molecule"] for row in rows}),
            "temperatures_K": list(TEMPERATURES),
            "stretches": list(STRETCHES),
            "steps_fs": [STEPS, STEP],
            "seed": SEED,
        },
        "reference": made["reference"],
        "held_out_frames": made["noise"],
        "force_error_quartiles_eV_per_A": np.quantile(error, (0.25, 0.5, 0.75)).tolist(),
        "area_under_the_curve": {
            f"{threshold:g} eV/A": {kind: areas(ones, threshold, names[kind]) for kind, ones in kinds.items()}
            for threshold in LARGE
        },
        "any_unvisited_bin": {
            f"{threshold:g} eV/A": {
                kind: {name: alarms(ones, threshold, f"share_{name}") for name in CUTOFFS}
                for kind, ones in kinds.items()
            }
            for threshold in LARGE
        },
        "rank_correlation_with_the_force_error": {
            name: float(spearmanr([row[name] for row in rows], error).statistic) for name in names["all"]
        },
    }


def write_rows(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Signals and errors of each frame, numbers with five digits."""
    short = [
        {key: float(f"{value:.5g}") if isinstance(value, float) else value for key, value in row.items()}
        for row in rows
    ]
    write_csv([Column(key, key) for key in rows[0]], short, path)


def draw(found: dict[str, Any], all_rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Areas of all signals, and the share against the force error."""
    from e3d_lmp.figures.style import COLOURS, GUIDE, new_figure, save_figure

    threshold = f"{LARGE[1]:g} eV/A"
    figure = new_figure(9.0, 3.6)
    left, right = figure.subplots(1, 2, width_ratios=(1.3, 1))
    names = list(SIGNALS)
    for k, kind in enumerate(("all", "hot", "stretched")):
        found_areas = found["area_under_the_curve"][threshold][kind]
        for y, name in enumerate(names):
            if name in found_areas:
                value, low, high = found_areas[name]
                left.errorbar(
                    value,
                    -y + 0.22 * (1 - k),
                    xerr=[[max(value - low, 0.0)], [max(high - value, 0.0)]],
                    fmt="os^"[k],
                    color=COLOURS[k],
                    label=f"{kind} ({found_areas['large']} of {found_areas['frames']} large)"
                    if y == 0
                    else None,
                )
    left.axvline(0.5, color=GUIDE, lw=0.8)
    left.set_yticks([-y for y in range(len(names))], [SIGNALS[name] for name in names])
    left.set_xlabel(f"area under the curve; large: force error > {LARGE[1]:g} eV/Å")
    left.legend(loc="lower center", bbox_to_anchor=(0.3, 1.0), ncols=3, fontsize=7, columnspacing=1.0)
    for k, kind in enumerate(("hot", "stretched")):
        rows = [row for row in all_rows if row["kind"] == kind]
        right.plot(
            [row["force_error"] for row in rows],
            [row["share_paper"] for row in rows],
            "s^"[k],
            color=COLOURS[k + 1],
            ms=3,
            alpha=0.6,
            label=kind,
        )
    right.set_xscale("log")
    right.set_xlabel("force error, rms (eV/Å)")
    right.set_ylabel("share of unvisited bins, pairs to 2.2 Å")
    right.legend()
    save_figure(figure, path, dpi=160)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    making = verbs.add_parser("run", help="make frames, labels and signals")
    making.add_argument("out", type=Path)
    making.add_argument("--data", type=Path, required=True, help="folder of e3d data prepare")
    making.add_argument("--teacher", type=Path, required=True, help="AIMNet2's TorchScript file")
    telling = verbs.add_parser("result", help="what comes out of them")
    telling.add_argument("out", type=Path)
    telling.add_argument("-o", "--output", type=Path, required=True)
    telling.add_argument("--figure", type=Path)
    args = parser.parse_args(argv)
    try:
        if args.verb == "run":
            run(args.out, args.data, args.teacher)
            return 0
        made = read_json(args.out / "rows.json")
        found = result(made)
        write_json(args.output, found)
        write_rows(made["rows"], args.output.with_suffix(".csv"))
        if args.figure is not None:
            draw(found, made["rows"], args.figure)
        print(json.dumps(found, indent=1))
    except E3DError as error:
        print(f"large_errors.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
