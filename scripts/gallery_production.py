"""Draws the pictures of inputs/production/ in docs/images from the folders of their jobs.

    python scripts/gallery_production.py --liquid liquid --pull pull --rate 0.25 [--images docs/images]

The picture of in.heat is that of `e3d heat hnemd`, as the header of the input says.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from e3d_lmp.analysis.events import read_events
from e3d_lmp.analysis.maps import read_map
from e3d_lmp.figures.maps import plot_maps
from e3d_lmp.figures.style import colours, new_figure, open_axes, styled

ROOT = Path(__file__).resolve().parents[1]
TIMESTEP = 0.0005
"""ps, of both inputs."""


def draw_liquid(job: Path, path: Path) -> None:
    """Maps of the whole run, as fix e3d/map wrote them."""
    plot_maps(read_map(job / "map.e3d"), ["C-H", "C-C", "C-N", "C-O", "N-H"]).savefig(path, dpi=110)


@styled
def draw_pull(job: Path, rate: float, path: Path) -> None:
    """Stress against strain, and below it the bonds that have broken, by pair."""
    rows = [np.loadtxt(part, ndmin=2) for part in sorted(job.glob("stress.*.txt"))]
    curve = np.concatenate(rows)
    events = read_events(job / "bonds.txt")
    figure = new_figure(7.0, 5.2)
    above, below = figure.subplots(2, sharex=True, height_ratios=(2, 1))
    open_axes((above, below))
    above.plot(100.0 * curve[:, 1], curve[:, 2], "o-", ms=3, color=colours(1)[0])
    above.set_ylabel("stress along the chains (GPa)")
    last = int(curve[-1, 0])
    names = events.by_count()
    for name, colour in zip(names, colours(len(names)), strict=True):
        steps, net = events.net(name)
        strain = 100.0 * rate * TIMESTEP * np.concatenate([[0], steps, [last]])
        below.step(strain, np.concatenate([[0], -net, -net[-1:]]), where="post", color=colour, label=name)
    below.set_ylabel("bonds lost")
    below.set_xlabel("strain (%)")
    if names:
        below.legend(frameon=False, loc="upper left")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--liquid", type=Path, help="folder of a job of in.liquid")
    parser.add_argument("--pull", type=Path, help="folder of a job of in.pull")
    parser.add_argument("--rate", type=float, default=0.05, help="its variable 'rate' (1/ps)")
    parser.add_argument("--images", type=Path, default=ROOT / "docs/images")
    args = parser.parse_args()
    if args.liquid:
        draw_liquid(args.liquid, args.images / "production_liquid.png")
    if args.pull:
        draw_pull(args.pull, args.rate, args.images / "production_pull.png")


if __name__ == "__main__":
    main()
