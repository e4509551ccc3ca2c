"""One row of a study of extrapolation: a model of one member, trained and asked for all members.

Files in the folder of a row, beside those of any study (`e3d_lmp.study.row`): ``maps/NAME.e3d``, D-A maps of
the held-out frames of each member, and ``maps/trained.e3d`` of all that the model was trained on.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.analysis.maps import write_map
from e3d_lmp.analysis.reducers import MapReducer
from e3d_lmp.edges.cutoffs import parse_cutoff
from e3d_lmp.edges.evaluate import Evaluated, evaluate_structures
from e3d_lmp.edges.evaluator import EdgeEvaluator
from e3d_lmp.edges.pairs import Pairing
from e3d_lmp.files import make_folder, write_json
from e3d_lmp.study.extrapolation.between import FrameAnswer, answers, between_of, structure_of
from e3d_lmp.study.extrapolation.molecules import MolecularFrame
from e3d_lmp.study.extrapolation.plan import ExtrapolationPlan, MemberRow
from e3d_lmp.study.row import row_folder, trained
from e3d_lmp.tables import without_nan

FORMAT = "e3d-extrapolation-row/1"
MAPS = "maps"
TRAINED = "trained"
"""Name of the map of what a model was trained on; no member has it."""


def compute_row(
    plan: ExtrapolationPlan, row: MemberRow, study: Path, device: str, devices: int
) -> dict[str, Any]:
    """Compute a row, or what is missing of it; returns its numbers.

    Raises
    ------
    E3DError
        A file or a frame of the family cannot be used, or a step failed.
    Interrupted
        The training was stopped.
    """
    frames = plan.frames()
    files, begun = trained(plan, row, study, plan.data(row.member), device, devices)
    folder = row_folder(study, row) / MAPS
    make_folder(folder)
    evaluator = EdgeEvaluator(files.model)
    asked = {}
    for name, own in frames.items():
        print(f"{row.name}: asking for {name}", file=sys.stderr, flush=True)
        asked[name] = ask(evaluator, own.held_out, plan.between, plan.cutoff, folder / f"{name}.e3d")
    known = evaluate_structures(evaluator, enumerate(map(structure_of, plan.learnt(row.member))))
    _write_map(evaluator, known, plan.cutoff, folder / f"{TRAINED}.e3d")
    numbers = {"format": FORMAT, **begun, **asdict(row), "asked": asked, "inputs": plan.inputs(row)}
    numbers = without_nan(numbers)
    write_json(row_folder(study, row) / "row.json", numbers)
    return numbers


def ask(
    evaluator: EdgeEvaluator, frames: Sequence[MolecularFrame], between: bool, cutoff: str, maps: Path
) -> dict[str, Any]:
    """What a model says of some frames, as lists with a number for each, eV; their D-A map goes to a file.

    Returns
    -------
    dict
        ``atoms``, ``energy``, ``reference`` (cohesive energies), ``force_error`` (eV/angstrom, mean over
        components). With `between`: ``inside``, energy and reference of the molecules by themselves, and
        ``between`` as `BetweenMolecules` has it.
    """
    found: list[FrameAnswer] = []
    if between:
        found = list(answers(evaluator, frames, forces=True))
        together = [one.together for one in found]
    else:
        together = list(evaluate_structures(evaluator, enumerate(map(structure_of, frames)), forces=True))
    _write_map(evaluator, together, cutoff, maps)
    numbers: dict[str, Any] = {
        "atoms": [len(frame.numbers) for frame in frames],
        "energy": [one.energy for one in together],
        "reference": [frame.energy for frame in frames],
        "force_error": _force_error(together),
    }
    if between:
        inner = between_of(found)
        numbers["inside"] = {
            "energy": [one.apart for one in found],
            "reference": [float(frame.molecule_energies.sum()) for frame in frames],
        }
        numbers["between"] = {name: getattr(inner, name).tolist() for name in inner.__dataclass_fields__}
    return numbers


def _force_error(found: Sequence[Evaluated]) -> float:
    """Mean of |F - F_label| over components that have a label, eV/angstrom; nan where there are none."""
    errors = [
        np.abs(one.atoms.force - one.atoms.reference_force).ravel()
        for one in found
        if one.atoms.force is not None and one.atoms.reference_force is not None
    ]
    every = np.concatenate(errors) if errors else np.zeros(0)
    every = every[np.isfinite(every)]
    return float(every.mean()) if every.size else np.nan


def _write_map(evaluator: EdgeEvaluator, found: Any, cutoff: str, path: Path) -> None:
    """The D-A map of the bonds of frames."""
    elements = tuple(evaluator.model.type_elements)
    bond = parse_cutoff(cutoff)
    pairing = Pairing(elements, bond.matrix(elements), evaluator.cutoffs)
    reducer = MapReducer(bond.name)
    for one in found:
        reducer.add(pairing.pair(one.frame))
    write_map(reducer.result(), path)
