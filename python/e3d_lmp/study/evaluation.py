"""What a trained model of a study is judged by: its edge energies of held-out structures, analysed."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from e3d_lmp.analysis.accuracy import named_isolated_atoms
from e3d_lmp.analysis.analyse import AnalysisOptions, analyse
from e3d_lmp.analysis.bonds.references import reference_energies
from e3d_lmp.analysis.bonds.types import chosen_perception
from e3d_lmp.analysis.edge_analysis import EdgeAnalysis
from e3d_lmp.analysis.maps import DEFAULT_BIN
from e3d_lmp.edges.cutoffs import parse_cutoff
from e3d_lmp.edges.evaluate import fill_store, open_store
from e3d_lmp.edges.evaluator import EdgeEvaluator
from e3d_lmp.edges.sources import EdgeSource
from e3d_lmp.edges.structures import PARTS, Selection, Structures
from e3d_lmp.errors import E3DError
from e3d_lmp.figures.of_folder import draw_parity, draw_tables
from e3d_lmp.study.held_out import write_held_out
from e3d_lmp.study.plan import Plan, TestSet


def evaluate_test_set(plan: Plan, name: str, model: Path, folder: Path, study: Path) -> None:
    """Edge energies of a set of structures, and their analysis in ``folder/name``; the edges are not kept.

    Parameters
    ----------
    name
        One of `plan.sets`.
    model
        Model file of the row.
    folder
        Of the row.
    study
        Folder of the study, for what all rows need.

    Raises
    ------
    E3DError
        A structure cannot be evaluated, or an option of the plan makes no sense for the set.
    """
    one = plan.sets[name]
    out, store = folder / name, folder / f"{name}.h5"
    if (out / "done").exists():
        return
    lines = _evaluate(one, model, held_out(plan, study) if one.file is None else one.file, store)
    options = analysis_options({**plan.analysis, **one.analyze}, one.file is None)
    analysis = analyse(EdgeSource([store]), options, show_progress=False)
    assert analysis is not None
    paths = analysis.write(out)
    drawn = draw_tables(analysis.tables, out)
    remarks = analysis.remarks
    if analysis.errors is not None:
        drawn += draw_parity(analysis.errors, out)
        remarks = analysis.errors.remarks + remarks
    remarks = remarks + drawn.remarks
    lines += [analysis.text(), *remarks, analysis.tables.last_line(paths + drawn.paths)]
    with open(folder / "analysis.log", "a", encoding="utf-8") as log:
        log.writelines(f"{line}\n" for line in lines)
    (out / "done").touch()
    store.unlink()


def check_test_set(plan: Plan, name: str) -> None:
    """Whether a set of structures can be evaluated and analysed as the plan says: to be asked before hours of
    training.

    Raises
    ------
    E3DError
        As `evaluate_test_set`, as far as no model is needed to know it; or no structure of the set has an
        energy to compare with.
    """
    one = plan.sets[name]
    options = analysis_options({**plan.analysis, **one.analyze}, one.file is None)
    EdgeAnalysis(plan.data.elements, options.cutoff, options.width, options.labels)
    if options.isolated_atoms is not None:
        named_isolated_atoms(options.isolated_atoms)
    if one.file is None:
        return
    asked = _given(one.evaluate)
    chosen = Selection(_structures(one, one.file), 0, asked.get("every", 1), asked.get("limit"))
    if not any(isfinite(structure.energy) for _, structure in chosen):
        raise E3DError(
            f"{one.file}: no structure has an energy to compare with; give {name} a file that has them, such "
            "as extended XYZ with energy=... in its comment lines"
        )


def _structures(one: TestSet, source: Path) -> Structures:
    asked = _given(one.evaluate)
    return Structures([source], asked.get("energy"), asked.get("part", PARTS[0]), forces=True)


def _evaluate(one: TestSet, model: Path, source: Path, output: Path) -> list[str]:
    """Write the edges of a set of structures, or what is missing of them; returns what to say of it."""
    asked = _given(one.evaluate)
    structures = _structures(one, source)
    evaluator = EdgeEvaluator(model, batch=asked.get("batch"))
    taken = {"cutoff": parse_cutoff("model"), "forces": True, "every": asked.get("every", 1)}
    with open_store(output, evaluator, structures, **taken) as store:
        before = store.frames
        skipped = fill_store(
            store,
            evaluator,
            structures,
            **taken,
            limit=asked.get("limit"),
            skip_unknown=asked.get("skip_unknown", False),
            show_progress=False,
        )
    return [f"{skipped} structures with unknown elements left out"] * bool(skipped) + [store.summary(before)]


def analysis_options(asked: Mapping[str, Any], is_cohesive: bool) -> AnalysisOptions:
    """Options of the analysis from those of the plan.

    Parameters
    ----------
    is_cohesive
        Whether the reference energies are cohesive ones already.

    Raises
    ------
    E3DError
        A file of reference energies is malformed.
    """
    asked = _given(asked)
    orders, _ = chosen_perception(asked.get("bond_orders"))
    isolated = asked.get("isolated_atoms", "none" if is_cohesive else None)
    isolated = isolated[0] if isinstance(isolated, list) else isolated
    return AnalysisOptions(
        cutoff=parse_cutoff(asked.get("cutoff", "covalent")),
        width=float(asked.get("bin", DEFAULT_BIN)),
        labels=_words(asked["pairs"]) if "pairs" in asked else None,
        bond_orders=orders,
        references=reference_energies(_words(asked.get("references", []))),
        equal_size=asked.get("equal_size"),
        isolated_atoms=isolated,
    )


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that have a value."""
    return {key: value for key, value in options.items() if value is not None}


def _words(value: Any) -> list[str]:
    """The words of an option that takes several, written as a list or as one text."""
    return list(map(str, value)) if isinstance(value, list) else str(value).split()


def held_out(plan: Plan, study: Path) -> Path:
    """The held-out set of the data as a file of structures with cohesive energies and forces."""
    path = study / f"heldout-{plan.data.sha256[:8]}.extxyz"
    if not path.exists():
        write_held_out(plan.data, path)
    return path
