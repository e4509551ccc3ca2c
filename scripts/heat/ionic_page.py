"""Tables and pictures of the study of silver iodide, from the numbers that `ionic_report` keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from e3d_lmp.analysis.heat.conversion import with_error
from e3d_lmp.figures.style import COLOURS, LINES, colours, new_figure, open_axes, styled
from ionic_report import EXACT, Row, mean_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Models = Mapping[str, Row]

ALONG = {
    "⟨J²⟩": ("mean_square",),
    "⟨(J − exact J)²⟩": ("difference_square",),
    "low": ("low",),
    "low − exact": ("low_minus_exact",),
    "low of the difference": ("low_difference",),
    "low, no flow": ("without_flow",),
    "the same − exact": ("without_flow_minus_exact",),
}
CONDUCTIVITIES = {
    "low": ("power_low",),
    "Green–Kubo": ("green_kubo",),
    "HNEMD": ("hnemd",),
    "low, no flow": ("without_flow",),
    "HNEMD, no flow": ("hnemd_without_flow",),
}
CRYSTAL = {
    "D of Ag, 1e-5 cm²/s": ("silver_diffusion", 1),
    "iodine, Å²": ("iodine_displacement", 2),
    "pressure, kbar": ("pressure", 1),
}
"""Columns of tables, and where their numbers are in the row of a model in a phase (decimals of the last)."""
MELTED = 1.0
"""A^2: mean square displacement of iodine beyond that of vibrations."""
HEATED = 1.2
"""Factor by which a run at constant energy may get hotter: more is no fluctuation."""
CURVES = (EXACT, "plain", "flux-3e-7", "flux-3e-6", "flux-3e-5", "asymmetry-0.1", "difference-3e-5")
COLOURED = ("#000000", "#0072B2", "#E69F00", "#D55E00", "#CC79A7", "#56B4E9", "#009E73")
"""Terms in pictures of spectra, and the colour of each."""


def found(models: Models, term: str, *keys: str) -> list[Any]:
    """What is at this place in the row of each seed of a term that has something there."""
    values = []
    for name, row in models.items():
        if name.rpartition(".")[0] != term and name != term:
            continue
        value: Any = row
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is not None:
            values.append(value)
    return values


def of_term(models: Models, term: str, *keys: str) -> list[tuple[float, float]]:
    """(value, its own error) of each seed of a term that has this number."""
    values = found(models, term, *keys)
    return [(v[0], v[1] or np.nan) if isinstance(v, Sequence) else (v, np.nan) for v in values]


def sound_models(models: Models, phase: str) -> Models:
    """Those that did not melt or run away in this phase: only these have the conductivity of the crystal."""

    def is_sound(row: Row) -> bool:
        own = row.get(phase, {})
        (displacement, _), (heating, _) = (
            own.get(key, (0.0, 0.0)) for key in ("iodine_displacement", "heating")
        )
        return bool(displacement <= MELTED and heating <= HEATED)

    return {name: row for name, row in models.items() if is_sound(row)}


def over_seeds(values: Sequence[tuple[float, float]], *, shared: bool = False) -> tuple[float, float]:
    """Mean, and its standard error: what the seeds scatter, at least what each does not know of itself. The
    latter does not become less with more seeds where all share one trajectory.
    """
    if not values:
        return np.nan, np.nan
    means, errors = np.array(values, dtype=float).T
    own = float(errors.mean() if shared else np.sqrt((errors**2).sum()) / len(errors))
    scatter = mean_error(means)[1]
    known = [error for error in (own, scatter) if np.isfinite(error)]
    return float(means.mean()), max(known, default=np.nan)


def text_of(values: Sequence[tuple[float, float]], digits: str = ".3g", *, shared: bool = False) -> str:
    """Mean over the seeds, with its error where that is known (see `over_seeds`)."""
    mean, error = over_seeds(values, shared=shared)
    if not np.isfinite(mean):
        return ""
    return with_error(mean, error) if np.isfinite(error) else format(mean, digits)


def beside(values: Sequence[tuple[float, float]], exact: Sequence[tuple[float, float]]) -> str:
    """`text_of`, and in brackets the difference to the exact potential in standard errors of it."""
    (mean, error), (other, unsure) = over_seeds(values), over_seeds(exact)
    apart = (mean - other) / np.hypot(error, unsure)
    return text_of(values) + (f" ({apart:+.1f})" if np.isfinite(apart) else "")


def range_of(values: Sequence[tuple[float, float]], decimals: int) -> str:
    """The smallest and the largest of the seeds, or one number where they are the same."""
    ends = [round(end(mean for mean, _ in values), decimals) + 0.0 for end in (min, max)] if values else []
    return "–".join(dict.fromkeys(f"{end:.{decimals}f}" for end in ends))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table of Markdown; none without rows."""
    if not rows:
        return []
    lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def tables(result: Mapping[str, Any], terms: Sequence[str], phases: Sequence[str]) -> str:
    """The numbers: errors, diffusion, currents along the trajectories, conductivities of own runs."""
    models = result["models"]
    blocks = [error_table(models, terms), diffusion_table(result["material"]["diffusion"])]
    for phase in phases:
        rows = []
        for term in (EXACT, *terms):
            places = [(phase, "trajectory", *keys) for keys in ALONG.values()]
            cells = [text_of(of_term(models, term, *place), shared=True) for place in places]
            if any(cells):
                rows.append([term, *cells])
        blocks.append(titled(f"{phase}, along the trajectory of the exact potential", ["", *ALONG], rows))
    for phase in phases:
        columns = {
            head: keys for head, keys in CONDUCTIVITIES.items() if phase != "ordered" or "no flow" not in head
        }
        sound = sound_models(models, phase)
        rows = []
        for term in (EXACT, *terms):
            cells = []
            for keys in columns.values():
                own = of_term(sound, term, phase, *keys)
                exact = [] if term == EXACT else of_term(sound, EXACT, phase, *keys)
                cells.append(beside(own, exact))
            cells += [range_of(of_term(models, term, phase, key), n) for key, n in CRYSTAL.values()]
            if any(cells):
                every, held = (sum(found(some, term, phase, "runs")) for some in (models, sound))
                rows.append([term, str(every), str(every - held), *cells])
        head = ["", "runs", "unsound", *columns, *CRYSTAL]
        blocks.append(titled(f"{phase}, of its own runs", head, rows))
    return "\n\n".join("\n".join(lines) for lines in blocks if lines)


def titled(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table under its title."""
    return [f"{title}:", "", *table(head, rows)] if rows else []


def error_table(models: Models, terms: Sequence[str]) -> list[str]:
    """Errors on the frames held out."""
    head = ["", "seeds", "energy, meV", "force, meV/Å", "stress, meV/Å³", "J", "J − exact J", "A, meV"]
    keys = ("energy_mae", "forces_mae", "stress_mae", "J_rms", "J_difference_rms", "A_rms")
    rows = []
    for term in terms:
        values = {key: of_term(models, term, "errors", key) for key in keys}
        if not values["energy_mae"]:
            continue
        values["stress_mae"] = [(1000.0 * mean, error) for mean, error in values["stress_mae"]]
        rows.append([term, str(len(values["energy_mae"])), *(text_of(values[key]) for key in keys)])
    return table(head, rows)


def diffusion_table(diffusion: Mapping[str, Mapping[str, Row]]) -> list[str]:
    """D of both elements at each temperature, in both phases."""
    kelvins = sorted({kelvin for rows in diffusion.values() for kelvin in rows}, key=int)
    rows = []
    for phase, by_kelvin in diffusion.items():
        for element in ("Ag", "I"):
            cells = [f"{by_kelvin[one][element]:.2f}" if one in by_kelvin else "" for one in kelvins]
            rows.append([f"{phase}, {element}", *cells])
    return table(["D, 1e-5 cm²/s", *(f"{kelvin} K" for kelvin in kelvins)], rows)


def curves_of(models: Models, *keys: str) -> Iterator[tuple[str, str, np.ndarray, np.ndarray, Row]]:
    """Term, colour, mean and standard error over its seeds, and a seed's own, of each of `CURVES` that is
    there.
    """
    for term, colour in zip(CURVES, COLOURED, strict=True):
        rows = found(models, term, *keys)
        if not rows:
            continue
        means, errors = (np.array([row[key] for row in rows]) for key in ("mean", "error"))
        error = means.std(axis=0, ddof=1) / len(rows) ** 0.5 if len(rows) > 1 else errors[0]
        yield term, colour, means.mean(axis=0), error, rows[0]


def draw_band(
    axis: Axes, x: Sequence[float], mean: np.ndarray, error: np.ndarray, colour: str, label: str
) -> None:
    """A curve and its error."""
    axis.fill_between(x, mean - error, mean + error, color=colour, alpha=0.25, linewidth=0)
    axis.plot(x, mean, color=colour, label=label, linewidth=1.2)


@styled
def draw_spectra(result: Mapping[str, Any], phases: Sequence[str]) -> Figure:
    """Power of J and of its difference to the exact one along the trajectories of the exact potential, and of
    J in own runs.
    """
    models, frequency = result["models"], result["frequency"]
    sound = {phase: sound_models(models, phase) for phase in phases}
    rows = {
        "J along the exact trajectory": ("trajectory", "spectrum"),
        "J − exact J along it": ("trajectory", "difference_spectrum"),
        "J of own runs": ("spectrum",),
    }
    figure = new_figure(7.0, 7.6)
    axes = figure.subplots(len(rows), len(phases), sharex=True, sharey=True, squeeze=False)
    for line, (title, keys) in zip(axes, rows.items(), strict=True):
        for axis, phase in zip(line, phases, strict=True):
            shown = models if "trajectory" in keys else sound[phase]
            for term, colour, mean, error, _ in curves_of(shown, phase, *keys):
                draw_band(axis, frequency, mean, error, colour, term)
            axis.set(title=f"{phase}, {title}", yscale="log", xlim=(0.0, 8.0), ylim=(1e-4, 10.0))
        line[0].set_ylabel("P(ν)/(4 V k T²) (W/m/K)")
    for axis in axes[-1]:
        axis.set_xlabel("frequency (THz)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
    open_axes(list(axes.flat))
    return figure


@styled
def draw_parts(result: Mapping[str, Any], terms: Sequence[str], phase: str) -> Figure:
    """Power of the parts of J in own runs: convective and potential, by element, by pair label; a line for
    each term, mean over its seeds.
    """
    sound = sound_models(result["models"], phase)
    panels = (("heat convective", "heat potential"), ("Ag", "I"), ("Ag_Ag", "Ag_I", "I_I"))
    figure = new_figure(7.0, 3.4)
    axes = figure.subplots(1, len(panels), sharey=True)
    for axis, parts in zip(axes, panels, strict=True):
        for part, colour in zip(parts, colours(len(parts)), strict=True):
            label: str | None = part.removeprefix("heat ").replace("_", "–")
            for term, line in zip(terms, LINES, strict=False):
                rows = found(sound, term, phase, "part_spectra", part)
                if rows:  # none of a model that is not run, or of a current without its split
                    mean = np.mean(rows, axis=0)
                    axis.plot(
                        result["frequency"], mean, color=colour, linestyle=line, label=label, linewidth=1.1
                    )
                    label = None
        axis.set(xlabel="frequency (THz)", xlim=(0.0, 8.0), yscale="log", ylim=(1e-3, 10.0))
        if axis.lines:
            axis.legend()
    axes[0].set_ylabel("P(ν)/(4 V k T²) (W/m/K)")
    handles = [
        axes[0].plot([], [], color="black", linestyle=line)[0] for _, line in zip(terms, LINES, strict=False)
    ]
    figure.legend(handles, list(terms), loc="outside lower center", ncols=len(terms))
    open_axes(list(axes))
    return figure


@styled
def draw_conductivities(models: Models, terms: Sequence[str]) -> Figure:
    """Green-Kubo and HNEMD of every model that held the crystal in own runs; the exact potential as bands of
    one error.
    """
    panels = {
        "ordered": ("ordered", {"Green–Kubo": "green_kubo", "HNEMD": "hnemd"}),
        "superionic": ("superionic", {"Green–Kubo": "green_kubo", "HNEMD": "hnemd"}),
        "superionic, no flow": (
            "superionic",
            {"power below 0.1 THz": "without_flow", "HNEMD": "hnemd_without_flow"},
        ),
    }
    shown = [
        term
        for term in terms
        if any(found(models, term, phase, "green_kubo") for phase, _ in panels.values())
    ]
    figure = new_figure(7.4, 3.6)
    axes = np.atleast_1d(figure.subplots(1, len(panels)))
    for axis, (title, (phase, methods)) in zip(axes, panels.items(), strict=True):
        for (label, key), colour, shift, marker in zip(
            methods.items(), COLOURS, (-0.17, 0.17), "so", strict=False
        ):
            for mean, error in of_term(models, EXACT, phase, key):
                axis.axhspan(mean - error, mean + error, color=colour, alpha=0.2, linewidth=0)
            for place, term in enumerate(shown):
                sound = sound_models(models, phase)
                for number, (mean, error) in enumerate(of_term(sound, term, phase, key)):
                    where = place + shift + 0.11 * (number - 1)
                    axis.errorbar(where, mean, error, color=colour, marker=marker, markersize=3, linewidth=1)
            axis.plot([], [], color=colour, marker=marker, markersize=3, linestyle="", label=label)
        axis.set_xticks(range(len(shown)), shown, rotation=45, ha="right", fontsize="x-small")
        axis.set(title=title, ylim=(0.0, None))
        axis.legend(loc="lower left")
    axes[0].set_ylabel("conductivity (W/m/K)")
    open_axes(list(axes))
    return figure


@styled
def draw_hnemd_spectra(models: Models, phase: str) -> Figure:
    """Conductivity by frequency under the driving force; means over the seeds."""
    figure = new_figure(5.5, 3.4)
    axis = figure.subplots()
    drawn = False
    for term, colour, mean, error, row in curves_of(sound_models(models, phase), phase, "hnemd_spectrum"):
        draw_band(axis, row["frequency"], mean, error, colour, term)
        drawn = True
    axis.axhline(0.0, color="0.6", linewidth=0.8)
    axis.set(xlabel="frequency (THz)", ylabel="κ(ν) (W/m/K/THz)", xlim=(0.0, 4.0))
    if drawn:
        axis.legend()
    open_axes([axis])
    return figure
