"""Numbers of the study of silver iodide, from the files of `ionic`: whatever is there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from e3d_lmp.analysis.heat.conversion import METAL
from e3d_lmp.analysis.heat.current import HeatCurrent, column_names, read_runs
from e3d_lmp.analysis.heat.green_kubo import green_kubo
from e3d_lmp.analysis.heat.hnemd import group_by_force, hnemd
from e3d_lmp.analysis.heat.power import Part, Power, power, read_parts
from e3d_lmp.analysis.heat.spectrum import read_correlations, spectrum

EXACT = "exact"
TIMESTEP = 0.004  # ps
LENGTH, BLOCKS = 5.0, 8  # longest correlation time of spectra, ps; blocks of a run
GREEN_KUBO = 10.0  # longest correlation time of Green-Kubo, ps
FLOW = ("v_flowx", "v_flowy", "v_flowz")
"""Sum of the velocities of silver."""
DRIVEN = ("f_drive[4]", "f_drive[5]", "f_drive[6]")
"""The current of driven runs."""
DRAWN = ("heat convective", "heat potential", "Ag", "I", "Ag_Ag", "Ag_I", "I_I")
"""Parts whose spectra are kept, of the superionic phase."""
SPECTRUM_FORCE = 0.01
"""1/A: of the runs whose spectrum under a driving force is kept."""
LOW, HIGHEST = 0.1, 8.0
"""THz: power up to the first is what reaches the conductivity; spectra are kept up to the second."""
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
    near = result.frequency <= limit + 1e-9
    return result.scale * result.density[name][:, near].mean(axis=1)


def kept(values: np.ndarray, digits: int = 3) -> list[float]:
    """Few digits of each value."""
    return [float(f"{value:.{digits}g}") for value in values]


def curve(result: Power, name: str) -> dict[str, list[float]]:
    """Power of a part up to `HIGHEST`, as a conductivity, and its standard error over the blocks."""
    near = result.frequency <= HIGHEST + 1e-9
    mean, error = (result.scale * values[near] for values in result.mean(name))
    return {"mean": kept(mean), "error": kept(error, 2)}


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
    row["spectrum"] = curve(whole, "heat")
    if name != EXACT:
        row["difference_spectrum"] = curve(apart, "heat")
    return row


def in_equilibrium(folder: Path, name: str, phase: str) -> Row:
    """Green-Kubo and spectra of a model's own runs, W/m/K, and what became of the crystal."""
    files = sorted(folder.glob(f"{name}.{phase}.equilibrium.*.txt"))
    if not files:
        return {}
    runs = read_runs(files)
    one = green_kubo(runs, METAL, TIMESTEP, GREEN_KUBO, blocks=BLOCKS)
    row: Row = {"runs": len(files), "green_kubo": [one.conductivity, one.error]}
    row |= {"plateau": list(one.plateau), "settled": one.settled, "temperature": one.temperature}
    flow = read_runs(files, columns=FLOW)
    row["flow"] = mean_error(
        below(power(flow, FLOW, [Part("v", FLOW)], METAL, TIMESTEP, LENGTH, blocks=BLOCKS), "v")
    )
    own = spectra(files)
    row["power_low"] = mean_error(below(own, "heat"))
    row["mean_square"] = own.mean_square("heat")
    row["without_flow"] = jackknife(without_flow(files))
    row["parts"] = {part: mean_error(below(own, part)) for part in own.density}
    row["spectrum"] = curve(own, "heat")
    if phase == "superionic":
        row["part_spectra"] = {part: curve(own, part)["mean"] for part in DRAWN if part in own.density}
    return row | held(folder, name, phase)


def held(folder: Path, name: str, phase: str) -> Row:
    """Of a model's own runs, with standard errors over four stretches of each: D of silver (1e-5 cm^2/s),
    mean square displacement of iodine in their second half (A^2), pressure (kbar), and by what factor they
    got hotter from the first stretch to the last, at constant energy.

    Where iodine stays in place its displacement is that of its vibrations, 0.6 A^2 or less.
    """
    diffusion, iodine, pressure, heating = [], [], [], []
    for path in sorted(folder.glob(f"{name}.{phase}.held.*.txt")):
        if not (folder / path.name.replace(".held.", ".equilibrium.")).exists():
            continue  # the run is under way
        steps, silver, other, kelvin, bar = np.loadtxt(path).T
        for stretch in np.array_split(np.arange(len(steps)), 4):
            slope = np.polyfit(steps[stretch] * TIMESTEP, silver[stretch], 1)[0]
            diffusion.append(slope / 6.0 * 10.0)
            pressure.append(bar[stretch].mean() / 1000.0)
        quarter = len(kelvin) // 4
        heating.append(kelvin[-quarter:].mean() / kelvin[:quarter].mean())
        iodine += [stretch.mean() for stretch in np.array_split(other[len(other) // 2 :], 2)]
    named = {"silver_diffusion": diffusion, "iodine_displacement": iodine, "pressure": pressure}
    named["heating"] = heating
    return {key: mean_error(values) for key, values in named.items() if values}


def driven(folder: Path, name: str, phase: str, flow: list[float] | None) -> Row:
    """HNEMD of a model: the conductivity, the same without the flow of silver (`driven_without_flow`), and
    in the ordered crystal the spectrum under the force of the models, `SPECTRUM_FORCE`.
    """
    files = folder.glob(f"{name}.{phase}.driven.*.txt")
    by_force = {file.stem.rpartition("driven.")[2]: file for file in files}
    by_force = {force: by_force[force] for force in sorted(by_force, key=float)}
    if not by_force:
        return {}
    runs = {force: read_runs([file], driven=True, columns=DRIVEN) for force, file in by_force.items()}
    result = hnemd(group_by_force(runs, METAL, TIMESTEP))
    row: Row = {"hnemd": [result.conductivity, result.error]}
    row["hnemd_by_force"] = {f"{group.force:g}": [group.conductivity, group.error] for group in result.groups}
    row["hnemd_linear"] = [bool(one) for one in result.linear]
    linear = [file for file, fine in zip(by_force, result.linear, strict=True) if fine]
    with_flow = [force for force in linear if set(FLOW) <= set(column_names(by_force[force]))]
    if flow and with_flow:
        each = [driven_without_flow(by_force[force], float(force), flow) for force in with_flow]
        weights = np.array([error for _, error in each]) ** -2.0
        mean = float(np.average([value for value, _ in each], weights=weights))
        row["hnemd_without_flow"] = [mean, float(weights.sum() ** -0.5)]
    file = folder / f"{name}.{phase}.shc.{SPECTRUM_FORCE:g}.txt"
    if phase == "ordered" and file.exists():
        one = spectrum([read_correlations(file)], SPECTRUM_FORCE)
        near = one.frequency <= HIGHEST
        mean_, error_ = (values[near] for values in one.mean())
        row["hnemd_spectrum"] = {
            "frequency": kept(one.frequency[near]),
            "mean": kept(mean_),
            "error": kept(error_, 2),
        }
    return row


def driven_without_flow(file: Path, force: float, flow: list[float], blocks: int = 10) -> list[float]:
    """Conductivity of a driven run along x where silver does not flow, and its standard error.

    A gradient of temperature alone drives silver too, until a voltage stops it: kappa = K_J - K_v^2 / L, K_J
    and K_v the responses of J and of the flow v of silver to the force, L the power of v at low frequency
    (`flow`, with its error), all in the same units. Errors of both responses by a jackknife
    over blocks, for they are correlated.
    """
    (run,) = read_runs([file], driven=True, columns=(*DRIVEN, *FLOW))
    rows = METAL.watt * run.current[:, [0, 3]] / (run.volume * run.temperature * force)
    each = np.stack([stretch.mean(axis=0) for stretch in np.array_split(rows, blocks)])
    rest = (each.sum(axis=0) - each) / (blocks - 1)
    means = np.concatenate([each.mean(axis=0, keepdims=True), rest])
    value, error = jackknife(means[:, 0] - means[:, 1] ** 2 / flow[0])
    return [value, float(np.hypot(error, (means[0, 1] / flow[0]) ** 2 * flow[1]))]


def report(folder: Path, terms: Sequence[str], phases: Sequence[str]) -> dict[str, Any]:
    """All numbers: of every model, and of every term the mean over its seeds."""
    models: dict[str, Row] = {}
    for term in (EXACT, *terms):
        for name in seeds_of(folder, term):
            row: Row = {} if name == EXACT else {"errors": held_out(folder, name)}
            for phase in phases:
                own = in_equilibrium(folder, name, phase)
                row[phase] = {"trajectory": along_trajectory(folder, name, phase)} | own
                row[phase] |= driven(folder, name, phase, own.get("flow"))
            models[name] = row
            print(f"{name}: read", flush=True)
    frequency = [k / (2.0 * LENGTH) for k in range(round(HIGHEST * 2.0 * LENGTH) + 1)]
    return {
        "format": "e3d-ionic/2",
        "frequency": frequency,
        "material": material(folder),
        "models": rounded(models),
    }


def rounded(value: Any) -> Any:
    """The same numbers to four digits, None for those that are not finite."""
    if isinstance(value, Mapping):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    if isinstance(value, float):
        return float(f"{value:.4g}") if np.isfinite(value) else None
    return value
