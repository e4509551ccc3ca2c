"""Tables and figures of the study of silver iodide, from the files of `ionic`: whatever is there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from e3d_lmp.analysis.heat.conversion import METAL, with_error
from e3d_lmp.analysis.heat.current import HeatCurrent, read_runs
from e3d_lmp.analysis.heat.green_kubo import green_kubo
from e3d_lmp.analysis.heat.hnemd import group_by_force, hnemd
from e3d_lmp.analysis.heat.power import Part, Power, power, read_parts
from e3d_lmp.analysis.heat.spectrum import read_correlations, spectrum

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXACT = "exact"
TIMESTEP = 0.004  # ps
LENGTH, BLOCKS = 4.0, 8  # longest correlation time of spectra, ps; blocks of a run
GREEN_KUBO = 20.0  # longest correlation time of Green-Kubo, ps
FLOW = ("v_flowx", "v_flowy", "v_flowz")
"""Sum of the velocities of silver."""
LOW = 0.5
"""THz: power below is what reaches the conductivity."""
Row = dict[str, Any]


def seeds_of(folder: Path, term: str) -> list[str]:
    """Names of the models of a term that are trained."""
    if term == EXACT:
        return [EXACT]
    return sorted(path.parent.name for path in folder.glob(f"{term}.[0-9]/test.json"))


def mean_error(values: Sequence[float] | np.ndarray) -> list[float]:
    """Mean and standard error, nan for one value."""
    table = np.asarray(values, dtype=float)
    error = table.std(ddof=1) / np.sqrt(len(table)) if len(table) > 1 else np.nan
    return [float(table.mean()), float(error)]


def parts_and_runs(files: Sequence[Path]) -> tuple[list[Part], list[str], list[HeatCurrent]]:
    """The parts of files of one input, their columns, and the runs."""
    parts = read_parts(files[0])
    columns = sorted({name for part in parts for name in (*part.plus, *part.minus)})
    return parts, columns, read_runs(files, columns=columns)


def spectra(files: Sequence[Path], blocks: int | None = BLOCKS) -> Power:
    """Power of every part of some runs."""
    parts, columns, runs = parts_and_runs(files)
    return power(runs, columns, parts, METAL, TIMESTEP, LENGTH, blocks=blocks)


def below(result: Power, name: str, limit: float = LOW) -> np.ndarray:
    """(M,) mean power of a part up to `limit`, as a conductivity."""
    near = result.frequency <= limit
    return result.scale * result.density[name][:, near].mean(axis=1)


def material(folder: Path) -> dict[str, Any]:
    """Diffusion of both elements against temperature, 1e-5 cm^2/s, and what the cutoff changes."""
    table: dict[str, Any] = {}
    for path in sorted(folder.glob("*.diffusion.*.txt")):
        phase, _, kelvin = path.stem.split(".")
        steps, silver, iodine, _, pressure = np.loadtxt(path).T[:5]
        late = steps > steps[-1] / 4
        time = steps[late] * TIMESTEP
        slopes = [max(float(np.polyfit(time, msd[late], 1)[0]) / 6.0 * 10.0, 0.0) for msd in (silver, iodine)]
        row = {
            "Ag": slopes[0],
            "I": slopes[1],
            "Ag_msd": float(silver[-1]),
            "pressure": float(pressure.mean()),
        }
        table.setdefault(phase, {})[kelvin] = {key: float(f"{value:.4g}") for key, value in row.items()}
    uncut = folder / "uncut.json"
    return {"diffusion": table, "cutoff": json.loads(uncut.read_text()) if uncut.exists() else None}


def held_out(folder: Path, name: str) -> Row:
    """Errors of a model on the frames held out, its term there, and its mean A."""
    errors = json.loads((folder / name / "test.json").read_text())["subsets"]["all"]
    row = {"energy_mae": errors["energy_mae"], "forces_mae": errors["forces_mae"]}
    cache = folder / name / "frames.json"
    if not cache.exists():
        from ionic_frames import on_frames

        cache.write_text(json.dumps(on_frames(folder / name / "model.nequip.zip", folder / "data_currents")))
    return row | json.loads(cache.read_text())


def without_flow(files: Sequence[Path], blocks: int = BLOCKS) -> np.ndarray:
    """(1 + blocks,) low power of J less what goes with the flow v of silver, P_JJ - P_Jv^2 / P_vv, as a
    conductivity: of all blocks, and of all but each (for a jackknife).

    A constant that a model gives to the energy of each silver ion adds a multiple of v to J, and nothing to
    this (R. Bertossa et al., arXiv 1808.03341). Where silver does not flow, in the ordered crystal, it means
    nothing.
    """
    columns = ["c_heat[1]", "c_heat[2]", "c_heat[3]", *FLOW]
    every = [*columns, *(f"{sum_}{axis}" for sum_ in ("J+v ", "J-v ") for axis in "xyz")]
    runs = []
    for run in read_runs(files, columns=columns):
        heat, flow = run.current[:, :3], run.current[:, 3:]
        flow = flow * float(np.sqrt((heat**2).sum() / (flow**2).sum()))
        table = np.concatenate([heat, flow, heat + flow, heat - flow], axis=1)
        runs.append(HeatCurrent(run.path, run.step, table, run.temperature, run.volume))
    triples = [tuple(every[3 * k : 3 * k + 3]) for k in range(4)]
    parts = [Part(name, triple) for name, triple in zip("Jv+-", triples, strict=True)]
    result = power(runs, every, parts, METAL, TIMESTEP, LENGTH, blocks=blocks)
    own, flow, plus, less = (below(result, part.name) for part in parts)
    together = 0.25 * (plus - less)
    places = np.arange(len(own))
    chosen = [places >= 0, *(places != place for place in places)]
    return np.array([own[k].mean() - together[k].mean() ** 2 / flow[k].mean() for k in chosen])


def jackknife(values: np.ndarray) -> list[float]:
    """Value and standard error, of `without_flow` or a difference of two such."""
    rest = values[1:]
    return [float(values[0]), float(np.sqrt((len(rest) - 1) * rest.var()))]


def along_trajectory(folder: Path, name: str, phase: str) -> Row | None:
    """The current along the trajectory of the exact potential, and its difference to the exact one."""
    files = [folder / f"{one}.{phase}.rerun.txt" for one in (name, EXACT)]
    if not all(file.exists() for file in files):
        return None
    parts, columns, (run,) = parts_and_runs(files[:1])
    _, _, (exact,) = parts_and_runs(files[1:])
    differs = HeatCurrent(run.path, run.step, run.current - exact.current, run.temperature, run.volume)
    whole = power([run], columns, parts, METAL, TIMESTEP, LENGTH, blocks=BLOCKS)
    apart = power([differs], columns, parts, METAL, TIMESTEP, LENGTH, blocks=BLOCKS)
    reference = power([exact], columns, parts, METAL, TIMESTEP, LENGTH, blocks=BLOCKS)
    row: Row = {"mean_square": whole.mean_square("heat"), "difference_square": apart.mean_square("heat")}
    row["low"] = mean_error(below(whole, "heat"))
    row["low_minus_exact"] = mean_error(below(whole, "heat") - below(reference, "heat"))
    row["low_difference"] = mean_error(below(apart, "heat"))
    no_flow = [without_flow([file]) for file in files]
    row["without_flow"] = jackknife(no_flow[0])
    row["without_flow_minus_exact"] = jackknife(no_flow[0] - no_flow[1])
    row["parts"] = {part.name: mean_error(below(whole, part.name)) for part in parts}
    return row


def conductivity(folder: Path, name: str, phase: str) -> Row:
    """Green-Kubo and HNEMD of a model's own runs, W/m/K."""
    row: Row = {}
    files = sorted(folder.glob(f"{name}.{phase}.equilibrium.*.txt"))
    if files:
        runs = read_runs(files)
        blocks = 4 if len(files) < 4 else 2
        one = green_kubo(runs, METAL, TIMESTEP, GREEN_KUBO, blocks=blocks)
        row["green_kubo"] = [one.conductivity, one.error]
        row |= {"plateau": list(one.plateau), "settled": one.settled, "temperature": one.temperature}
        own = spectra(files)
        row["power_low"] = mean_error(below(own, "heat"))
        row["mean_square"] = own.mean_square("heat")
        row["without_flow"] = jackknife(without_flow(files))
        row["parts"] = {name: mean_error(below(own, name)) for name in own.density}
    by_force = {
        file.stem.rpartition("driven.")[2]: [file] for file in folder.glob(f"{name}.{phase}.driven.*.txt")
    }
    if by_force:
        groups = group_by_force(
            {force: read_runs(paths, driven=True) for force, paths in by_force.items()}, METAL, TIMESTEP
        )
        result = hnemd(groups)
        row["hnemd"] = [result.conductivity, result.error]
        row["hnemd_by_force"] = {
            f"{group.force:g}": [group.conductivity, group.error] for group in result.groups
        }
    return row


def report(folder: Path, terms: Sequence[str], phases: Sequence[str]) -> dict[str, Any]:
    """All numbers: of every model, and of every term the mean over its seeds."""
    models: dict[str, Row] = {}
    for term in (EXACT, *terms):
        for name in seeds_of(folder, term):
            row: Row = {} if name == EXACT else {"errors": held_out(folder, name)}
            for phase in phases:
                row[phase] = {"trajectory": along_trajectory(folder, name, phase)} | conductivity(
                    folder, name, phase
                )
            models[name] = row
            print(f"{name}: read", flush=True)
    return {"format": "e3d-ionic/1", "material": material(folder), "models": rounded(models)}


def rounded(value: Any) -> Any:
    """The same numbers to four digits, None for those that are not finite."""
    if isinstance(value, Mapping):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    if isinstance(value, float):
        return float(f"{value:.4g}") if np.isfinite(value) else None
    return value


def of_term(models: Mapping[str, Row], term: str, *keys: str) -> list[tuple[float, float]]:
    """(value, its own error) of each seed of a term that has this number."""
    found = []
    for name, row in models.items():
        if name.rpartition(".")[0] != term and name != term:
            continue
        value: Any = row
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is not None:
            found.append((value[0], value[1] or np.nan) if isinstance(value, list) else (value, np.nan))
    return found


def over_seeds(values: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Mean, and its standard error: what the seeds scatter, at least what each does not know of itself."""
    if not values:
        return np.nan, np.nan
    means, errors = np.array(values).T
    own = float(np.sqrt((errors**2).sum()) / len(errors))
    scatter = mean_error(means)[1]
    known = [error for error in (own, scatter) if np.isfinite(error)]
    return float(means.mean()), max(known, default=np.nan)


def text_of(values: Sequence[tuple[float, float]], digits: str = ".3g") -> str:
    """Mean over the seeds, with its error where that is known."""
    mean, error = over_seeds(values)
    if not np.isfinite(mean):
        return ""
    return with_error(mean, error) if np.isfinite(error) else format(mean, digits)


TRAJECTORY_KEYS = tuple(
    ("trajectory", key)
    for key in (
        "mean_square",
        "difference_square",
        "low",
        "low_minus_exact",
        "low_difference",
        "without_flow",
        "without_flow_minus_exact",
    )
)
OWN_KEYS = tuple((key,) for key in ("power_low", "without_flow", "green_kubo", "hnemd"))
"""Places of the numbers of the tables in the rows of the models."""


def tables(result: Mapping[str, Any], terms: Sequence[str], phases: Sequence[str]) -> str:
    """The numbers as tables of Markdown: errors, currents along the trajectories, conductivities."""
    models = result["models"]
    lines = [
        "| | seeds | energy, meV | force, meV/Å | stress, meV/Å³ | J | J − exact J | A, meV |",
        "|---|" + "--:|" * 7,
    ]
    for term in terms:
        count = len(of_term(models, term, "errors", "energy_mae"))
        if not count:
            continue
        cells = [text_of(of_term(models, term, "errors", key), ".2f") for key in ("energy_mae", "forces_mae")]
        stress = [
            (1000.0 * mean, 1000.0 * error) for mean, error in of_term(models, term, "errors", "stress_mae")
        ]
        cells.append(text_of(stress))
        cells += [
            text_of(of_term(models, term, "errors", key)) for key in ("J_rms", "J_difference_rms", "A_rms")
        ]
        lines.append(f"| {term} | {count} | " + " | ".join(cells) + " |")
    if result["material"]["diffusion"]:
        lines += ["", *diffusion_table(result["material"]["diffusion"])]
    along = (
        "⟨J²⟩",
        "⟨(J − exact J)²⟩",
        "low",
        "low − exact",
        "low of the difference",
        "low, no flow",
        "the same − exact",
    )
    own = ("low", "low, no flow", "Green–Kubo", "HNEMD")
    for phase in phases:
        for title, heads, keys in (
            ("along the trajectory of the exact potential", along, TRAJECTORY_KEYS),
            ("of its own runs", own, OWN_KEYS),
        ):
            rows = []
            for term in (EXACT, *terms):
                cells = [text_of(of_term(models, term, phase, *key)) for key in keys]
                if any(cells):
                    rows.append(f"| {term} | " + " | ".join(cells) + " |")
            if rows:
                head = ["| | " + " | ".join(heads) + " |", "|---|" + "--:|" * len(heads)]
                lines += ["", f"{phase}, {title}:", "", *head, *rows]
    return "\n".join(lines)


def diffusion_table(diffusion: Mapping[str, Mapping[str, Row]]) -> list[str]:
    """D of both elements at each temperature, in both phases."""
    kelvins = sorted({kelvin for rows in diffusion.values() for kelvin in rows}, key=int)
    lines = ["| D, 1e-5 cm²/s | " + " | ".join(f"{kelvin} K" for kelvin in kelvins) + " |"]
    lines.append("|---|" + "--:|" * len(kelvins))
    for phase, rows in diffusion.items():
        for element in ("Ag", "I"):
            cells = [f"{rows[kelvin][element]:.2f}" if kelvin in rows else "" for kelvin in kelvins]
            lines.append(f"| {phase}, {element} | " + " | ".join(cells) + " |")
    return lines


def draw_spectra(folder: Path, terms: Sequence[str], phases: Sequence[str]) -> Figure:
    """Power of J along the trajectories of the exact potential, and of its difference to the exact J: of the
    first seed of each term."""
    from e3d_lmp.figures.style import colours, new_figure, open_axes

    phases = [phase for phase in phases if (folder / f"{EXACT}.{phase}.rerun.txt").exists()]
    names = [EXACT] + [f"{term}.1" for term in terms]
    figure = new_figure(7.0, 5.6)
    axes = figure.subplots(2, len(phases), sharex=True, sharey=True, squeeze=False)
    for column, phase in enumerate(phases):
        exact = parts_and_runs([folder / f"{EXACT}.{phase}.rerun.txt"])[2][0]
        for name, colour in zip(names, colours(len(names)), strict=True):
            if not (folder / f"{name}.{phase}.rerun.txt").exists():
                continue
            parts, columns, (run,) = parts_and_runs([folder / f"{name}.{phase}.rerun.txt"])
            apart = HeatCurrent(run.path, run.step, run.current - exact.current, run.temperature, run.volume)
            for row, current in enumerate((run, apart)):
                if name == EXACT and row:
                    continue
                one = power([current], columns, parts[:1], METAL, TIMESTEP, LENGTH, blocks=BLOCKS)
                mean, error = (one.scale * values for values in one.mean("heat"))
                axis = axes[row, column]
                axis.fill_between(
                    one.frequency, mean - error, mean + error, color=colour, alpha=0.3, linewidth=0
                )
                axis.semilogy(one.frequency, mean, color=colour, label=name.removesuffix(".1"))
        axes[0, column].set_title(f"{phase}, J")
        axes[1, column].set_title(f"{phase}, J − exact J")
        axes[1, column].set(xlabel="frequency (THz)", xlim=(0.0, 10.0))
    for axis in axes[:, 0]:
        axis.set(ylabel="P(ν)/(4 V k T²) (W/m/K)", ylim=(1e-4, 20.0))
    axes[0, -1].legend(loc="upper right", fontsize="x-small", ncols=2)
    open_axes(list(axes.flat))
    return figure


def draw_parts(folder: Path, names: Sequence[str], phase: str) -> Figure:
    """Power of J by element and by pair label along the trajectory, a line for each model."""
    from e3d_lmp.figures.style import LINES, colours, new_figure, open_axes

    figure = new_figure(7.0, 3.2)
    axes = figure.subplots(1, 2, sharey=True)
    for name, line in zip(names, LINES, strict=False):
        file = folder / f"{name}.{phase}.rerun.txt"
        if not file.exists():
            continue
        one = spectra([file])
        for axis, parts in zip(axes, (("Ag", "I"), ("Ag_Ag", "Ag_I", "I_I")), strict=True):
            for part, colour in zip(parts, colours(len(parts)), strict=True):
                if part not in one.density:  # a current without its split
                    continue
                label = f"{part.replace('_', '-')}, {name.removesuffix('.1')}"
                mean = one.scale * one.mean(part)[0]
                axis.semilogy(one.frequency, mean, color=colour, linestyle=line, label=label)
    for axis in axes:
        axis.set(xlabel="frequency (THz)", xlim=(0.0, 10.0), ylim=(1e-3, 10.0))
        axis.legend(fontsize="x-small", ncols=2)
    axes[0].set_ylabel("P(ν)/(4 V k T²) (W/m/K)")
    open_axes(list(axes))
    return figure


def draw_conductivities(models: Mapping[str, Row], terms: Sequence[str], phases: Sequence[str]) -> Figure:
    """Green-Kubo and HNEMD of every model of every term, and the exact potential as bands."""
    from e3d_lmp.figures.style import COLOURS, new_figure, open_axes

    figure = new_figure(7.0, 3.6)
    axes = np.atleast_1d(figure.subplots(1, len(phases)))
    for axis, phase in zip(axes, phases, strict=True):
        for key, colour, shift, marker in (
            ("green_kubo", COLOURS[0], -0.15, "s"),
            ("hnemd", COLOURS[1], 0.15, "o"),
        ):
            for mean, error in of_term(models, EXACT, phase, key):
                axis.axhspan(mean - error, mean + error, color=colour, alpha=0.2, linewidth=0)
            for place, term in enumerate(terms):
                for number, (mean, error) in enumerate(of_term(models, term, phase, key)):
                    where = place + shift + 0.06 * (number - 1)
                    axis.errorbar(where, mean, error, color=colour, marker=marker, markersize=3)
        axis.set_xticks(range(len(terms)), list(terms), rotation=45, ha="right", fontsize="x-small")
        axis.set(title=phase, ylim=(0.0, None))
    axes[0].set_ylabel("conductivity (W/m/K)")
    open_axes(list(axes))
    return figure


def draw_hnemd_spectra(folder: Path, terms: Sequence[str], phase: str, forces: Sequence[float]) -> Figure:
    """Conductivity by frequency under the driving force, of the exact potential and of the first seeds."""
    from e3d_lmp.figures.style import colours, new_figure, open_axes

    figure = new_figure(4.5, 3.4)
    axis = figure.subplots()
    files = {}
    names = [EXACT] + [f"{term}.1" for term in terms]
    for name in names:
        for force in forces:
            path = folder / f"{name}.{phase}.shc.{force:g}.txt"
            if path.exists():
                files[name] = (path, force)
                break
    for name, colour in zip(names, colours(len(names)), strict=True):
        if name not in files:
            continue
        path, force = files[name]
        one = spectrum([read_correlations(path)], force)
        mean, error = one.mean()
        axis.fill_between(one.frequency, mean - error, mean + error, color=colour, alpha=0.3, linewidth=0)
        axis.plot(one.frequency, mean, color=colour, label=name.removesuffix(".1"))
    axis.set(xlabel="frequency (THz)", ylabel="κ(ν) (W/m/K/THz)", xlim=(0.0, 8.0))
    if files:
        axis.legend(fontsize="x-small")
    open_axes([axis])
    return figure
