"""``e3d heat``: thermal conductivities from the files of runs, as numbers, tables and pictures."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from e3d_lmp.analysis.heat.conversion import HeatUnits, heat_units, with_error
from e3d_lmp.analysis.heat.current import check_distinct, read_runs
from e3d_lmp.analysis.heat.green_kubo import DENSE, GreenKubo, green_kubo
from e3d_lmp.analysis.heat.hnemd import Hnemd, group_by_force, hnemd, parse_force
from e3d_lmp.analysis.heat.power import power, read_parts
from e3d_lmp.analysis.heat.spectrum import PARTS, Correlations, read_correlations, spectrum
from e3d_lmp.errors import E3DError
from e3d_lmp.figures import PICTURES, plot_green_kubo, plot_hnemd, plot_power, plot_spectrum, save_figure
from e3d_lmp.tables import Column, format_table, write_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMAT = "e3d-heat/1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``e3d heat``."""
    methods = parser.add_subparsers(dest="method", metavar="METHOD", required=True)

    one = methods.add_parser("green-kubo", help="from the fluctuations of the current in equilibrium")
    _add_equilibrium_arguments(one)
    _add_run_arguments(one)

    power_of = methods.add_parser(
        "power", help="power spectra of the current in equilibrium and of its parts"
    )
    _add_equilibrium_arguments(power_of)
    power_of.add_argument(
        "--parts", nargs="+", metavar="PART", help="by name, as the command lists them (default: all)"
    )
    _add_frequency_arguments(power_of)
    _add_run_arguments(power_of)

    two = methods.add_parser("hnemd", help="from the response of the current to a driving force")
    two.add_argument("runs", nargs="+", metavar="F=FILE", help="force of fix e3d/hnemd (Fx,Fy,Fz, or one "
                     "number along x) and a file of fix ave/time of that run; several of each; negative ones "
                     "behind a --")  # fmt: skip
    _add_run_arguments(two)

    three = methods.add_parser("spectrum", help="by frequency, from fix e3d/shc")
    three.add_argument(
        "files", nargs="+", metavar="FILE", help="files of fix e3d/shc (e3d-shc/1), one for each run"
    )
    three.add_argument("--force", metavar="F", help="driving force as --force=Fx,Fy,Fz, or its size; only "
                       "for files that do not say it")  # fmt: skip
    three.add_argument(
        "--parts", nargs="+", choices=PARTS, default=list(PARTS), help="of the current (default: both)"
    )
    _add_frequency_arguments(three)
    _add_output(three)


def _add_equilibrium_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="files of fix ave/time, of each run (seed) or its parts"
    )
    parser.add_argument(
        "--length", type=float, required=True, metavar="T", help="longest correlation time, ps (lj: tau)"
    )
    parser.add_argument(
        "--directions", nargs="+", choices="xyz", default=list("xyz"), help="of the mean (default: all)"
    )
    parser.add_argument(
        "--blocks", type=int, metavar="B", help="cut each run into B (default: so that there are 4 curves)"
    )


def _add_frequency_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--window", choices=("hann", "none"), default="hann", help="weights of the lags (default: hann)"
    )
    parser.add_argument("--max-frequency", type=float, metavar="NU", help="of the picture, THz (lj: 1/tau)")


def _add_run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timestep", type=float, required=True, metavar="DT", help="of the run, in its units"
    )
    parser.add_argument(
        "--units", choices=("metal", "real", "lj"), default="metal", help="of the run (default: metal)"
    )
    parser.add_argument("--atom", nargs=3, type=float, metavar=("EPS", "SIGMA", "MASS"), help="units lj: eV, "
                        "angstrom and g/mol of an atom, for results in W/m/K")  # fmt: skip
    parser.add_argument(
        "--temperature", type=float, metavar="T", help="default: mean of the file's c_thermo_temp"
    )
    parser.add_argument("--volume", type=float, metavar="V", help="default: mean of the file's v_volume")
    parser.add_argument(
        "--skip",
        type=int,
        default=0,
        metavar="STEPS",
        help="leave out so many steps at the start of every run",
    )
    _add_output(parser)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", nargs="+", default=[], metavar="OUT", help="files to write: "
                        ".csv or .json the table, .png, .pdf or .svg the picture")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Do what ``e3d heat`` was asked; returns the exit code."""
    methods = {"green-kubo": _run_green_kubo, "power": _run_power, "hnemd": _run_hnemd}
    (methods | {"spectrum": _run_spectrum})[args.method](args)
    return 0


def _units(args: argparse.Namespace) -> HeatUnits:
    if not 0.0 < args.timestep < np.inf:
        raise E3DError(f"--timestep {args.timestep:g}: the time step is positive")
    if args.skip < 0:
        raise E3DError(f"--skip {args.skip}: the steps to leave out are 0 or more")
    for option in ("blocks", "max_frequency"):
        value = getattr(args, option, None)
        if value is not None and not 0 < value < np.inf:
            raise E3DError(f"--{option.replace('_', '-')} {value:g}: expected a number above 0")
    if args.atom and args.units != "lj":
        raise E3DError("--atom is for runs in --units lj")
    return heat_units(args.units, tuple(args.atom) if args.atom else None)


def _run_green_kubo(args: argparse.Namespace) -> None:
    units = _units(args)
    runs = read_runs(args.files, args.temperature, args.volume, args.skip, remark=_remark)
    axes = ["xyz".index(axis) for axis in args.directions]
    result = green_kubo(runs, units, args.timestep, args.length, axes, args.blocks)
    unit = units.conductivity
    curves = len(result.integral)
    print(
        f"conductivity {with_error(result.conductivity, result.error, '+-')} {unit} from {curves} curves of "
        f"{len(runs)} runs"
    )
    for axis in axes:
        mean, error = _mean_error(result.by_direction[:, axis])
        print(f"  {'xyz'[axis]}  {with_error(mean, error, '+-')}")
    first, last = result.plateau
    print(f"plateau from {first:.4g} to {last:.4g} {units.times}, temperature {result.temperature:.5g}")
    if not result.settled:
        print(
            "warning: there is no plateau, the running integral still changes: take a longer --length, or "
            "more runs"
        )
    if result.first_step < DENSE:
        print(
            f"warning: after one sample <J(0)J(t)> is {result.first_step:.2f} of <J²> already: the integral "
            "is wrong by about that step; write the current more often"
        )
    running, errors = result.integral.mean(axis=0), _standard_error(result.integral)
    norm = result.correlation[:, 0].mean()
    rows = [
        {"time": float(t), "correlation": float(c), "conductivity": float(k), "error": float(e)}
        for t, c, k, e in zip(
            result.time, result.correlation.mean(axis=0) / norm, running, errors, strict=True
        )
    ]
    columns = [
        Column("time", "time", units.times), Column("correlation", "<J(0)J(t)>/<J²>"),
        Column("conductivity", "conductivity", unit), Column("error", "error", unit),
    ]  # fmt: skip
    about = _about("green-kubo", args.files, unit, result) | {"time_unit": units.times}
    about |= {"plateau": list(result.plateau), "settled": result.settled, "temperature": result.temperature}
    about |= {"volume": result.volume, "curves": curves}
    _write(args.output, about, "running", columns, rows, lambda: plot_green_kubo(result, units))


def _run_power(args: argparse.Namespace) -> None:
    units = _units(args)
    parts = read_parts(args.files[0])
    names = [part.name for part in parts]
    strange = [name for name in args.parts or () if name not in names]
    if strange:
        raise E3DError(f"{args.files[0]} has no part '{strange[0]}'; it has: {', '.join(names)}")
    parts = [part for part in parts if part.name in (args.parts or names)]
    columns = sorted({name for part in parts for name in (*part.plus, *part.minus)})
    runs = read_runs(args.files, args.temperature, args.volume, args.skip, remark=_remark, columns=columns)
    axes = ["xyz".index(axis) for axis in args.directions]
    result = power(runs, columns, parts, units, args.timestep, args.length, axes, args.blocks, args.window)
    unit, squared = units.conductivity, f"({units.current})²"
    summary = []
    for part in parts:
        square, error = result.mean_square(part.name)
        at_zero, deviation = result.conductivity(part.name)
        summary.append({
            "part": part.name, "mean_square": square, "square_error": error, "at_zero": at_zero,
            "zero_error": deviation,
        })  # fmt: skip
    print(format_table([
        Column("part", "part"), Column("mean_square", "<J_a^2>", squared, ".5g"),
        Column("square_error", "error", squared, ".2g"), Column("at_zero", "P(0)/(4 V k T²)", unit, ".5g"),
        Column("zero_error", "error", unit, ".2g"),
    ], summary))  # fmt: skip
    per_frequency = f"{squared}/{units.frequencies}"
    table = [Column("frequency", "frequency", units.frequencies)]
    rows: list[dict[str, Any]] = [{"frequency": float(value)} for value in result.frequency]
    for part in parts:
        table.append(Column(part.name, part.name, per_frequency))
        table.append(Column(f"{part.name} error", "error", per_frequency))
        for row, mean, error in zip(rows, *result.mean(part.name), strict=True):
            row |= {part.name: float(mean), f"{part.name} error": float(error)}
    about = {"format": FORMAT, "method": "power", "unit": per_frequency, "window": args.window}
    about |= {"parts": summary, "scale": result.scale, "files": list(args.files)}
    _write(args.output, about, "power", table, rows, lambda: plot_power(result, units, args.max_frequency))


def _remark(text: str) -> None:
    print(f"note: {text}")


def _run_hnemd(args: argparse.Namespace) -> None:
    units = _units(args)
    files: dict[str, list[str]] = {}
    for word in args.runs:
        force, equals, path = word.partition("=")
        if not equals or not path:
            raise E3DError(f"'{word}': give the driving force and the file, as in 1e-4,0,0=current.txt")
        same = ",".join(map(str, parse_force(force)))  # however the force was typed
        files.setdefault(same, []).append(path)
    runs = {
        force: read_runs(paths, args.temperature, args.volume, args.skip, True, _remark)
        for force, paths in files.items()
    }
    # one file for two forces
    check_distinct([run for group in runs.values() for run in group])
    result = hnemd(group_by_force(runs, units, args.timestep))
    unit = units.conductivity
    columns = [
        Column("force", "|F|", "1/Å" if units.is_si else "1/σ", ".6g"), Column("runs", "runs"),
        Column("conductivity", "conductivity", unit, ".5g"), Column("error", "error", unit, ".2g"),
        Column("temperature", "temperature", "K" if units.is_si else "", ".5g"),
        Column("drift", "drift", "errors", "+.1f"), Column("linear", "linear"),
    ]  # fmt: skip
    rows = [
        {
            "force": group.force,
            "runs": len(group.running),
            "conductivity": group.conductivity,
            "error": group.error,
            "temperature": group.temperature,
            "drift": group.drift,
            "linear": "yes" if linear else "no",
        }
        for group, linear in zip(result.groups, result.linear, strict=True)
    ]
    print(format_table(columns, rows))
    which = "from the linear ones" if any(result.linear) else "of the smallest force: none is linear"
    print(f"conductivity {with_error(result.conductivity, result.error, '+-')} {unit} {which}")
    for group in result.groups:
        if not group.steady:
            print(
                f"warning: with |F| = {group.force:.4g} the current drifts by {group.drift:+.1f} standard "
                "errors: the run is not steady yet (--skip), or F is too large"
            )
    if len(rows) == 1:
        print("warning: one force says nothing of linearity; run with half of it too")
    about = _about("hnemd", args.runs, unit, result)
    _write(args.output, about, "forces", columns, rows, lambda: plot_hnemd(result, units))


def _run_spectrum(args: argparse.Namespace) -> None:
    runs = [read_correlations(path) for path in args.files]
    force = _driving_force(args.force, runs)
    result = spectrum(runs, force, args.parts, args.window)
    kappa, error = result.conductivity
    print(
        f"conductivity {with_error(kappa, error, '+-')} W/m/K, the integral over the spectrum, from "
        f"{len(result.density)} blocks"
    )
    for part, values in zip(PARTS, result.by_part.T, strict=True):  # as the blocks scatter, without a floor
        mean, deviation = _mean_error(values)
        print(f"  {part:<10}  {with_error(mean, deviation, '+-')}")
    density, deviations = result.mean()
    from scipy.integrate import cumulative_trapezoid

    whole = cumulative_trapezoid(density, result.frequency, initial=0.0)
    rows = [
        {"frequency": float(f), "density": float(d), "error": float(e), "integral": float(c)}
        for f, d, e, c in zip(result.frequency, density, deviations, whole, strict=True)
    ]
    columns = [
        Column("frequency", "frequency", "THz"), Column("density", "density", "W/m/K/THz"),
        Column("error", "error", "W/m/K/THz"), Column("integral", "integral", "W/m/K"),
    ]  # fmt: skip
    about = {"format": FORMAT, "method": "spectrum", "unit": "W/m/K", "conductivity": kappa}
    about |= {"error": None if np.isnan(error) else error, "parts": list(args.parts), "window": args.window}
    about |= {"force": force, "files": list(args.files)}
    _write(args.output, about, "spectrum", columns, rows, lambda: plot_spectrum(result, args.max_frequency))


def _driving_force(word: str | None, runs: Sequence[Correlations]) -> float:
    """Size of the driving force of the files, or of the word where they do not say it; both must agree."""
    given = parse_force(word) if word else None
    is_vector = "," in (word or "")
    if given is not None and not is_vector and given[0] < 0.0:
        raise E3DError(f"--force {word}: give its size, which is positive, or --force=Fx,Fy,Fz")
    sizes = []
    for run in runs:
        force = run.force if run.force.any() else given
        if force is None:
            raise E3DError(
                f"{run.path} does not say what drove the current: there was no fix e3d/hnemd, or an older "
                "version wrote the file; give --force"
            )
        sizes.append(float(np.linalg.norm(force)))
        if given is not None and abs(np.linalg.norm(given) - sizes[-1]) > 1e-6 * sizes[-1]:
            raise E3DError(
                f"{run.path}: fix e3d/hnemd drove with |F| = {sizes[-1]:g}, and --force is {word}; leave "
                "--force out"
            )
        run.check_direction(run.force)
        if given is not None and is_vector:
            run.check_direction(given)
    if max(sizes) - min(sizes) > 1e-6 * max(sizes):
        raise E3DError(
            f"the runs have driving forces from {min(sizes):g} to {max(sizes):g}: analyse them one by one"
        )
    return sizes[0]


def _about(method: str, files: list[str], unit: str, result: GreenKubo | Hnemd) -> dict[str, Any]:
    about: dict[str, Any] = {"format": FORMAT, "method": method, "unit": unit}
    return about | {"conductivity": result.conductivity, "error": result.error, "files": list(files)}


def _standard_error(values: np.ndarray) -> np.ndarray:
    if len(values) < 2:
        return np.full(values.shape[1:], np.nan)
    return values.std(axis=0, ddof=1) / np.sqrt(len(values))


def _mean_error(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean()), float(_standard_error(values))


def _write(
    paths: list[str],
    about: dict[str, Any],
    key: str,
    columns: list[Column],
    rows: list[dict[str, Any]],
    draw: Callable[[], Figure],
) -> None:
    for path in paths:
        if Path(path).suffix in PICTURES:
            save_figure(draw(), path)
        else:
            write_table(about, key, columns, rows, path)
        print(f"wrote {path}")
