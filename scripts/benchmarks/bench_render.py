"""Frames per second of `e3d render`, and the time to open long edge stores in OVITO.

    python scripts/benchmarks/bench_render.py

The store holds ethanol molecules on a grid that jump about, 9 atoms and 8 bonds each, with energies at
random: only numbers of atoms, bonds and pixels matter here. "bare" is OVITO alone: a frame in memory, drawn
again and again without reading, pairing, colour bar and encoding. Wall time is that of a machine that may do
other work; CPU time is that of all threads of the process, the software driver of Vulkan included.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from ase.build import molecule

from e3d_lmp.commands.render import check_ovito
from e3d_lmp.edges.frames import AtomRows, Box, EdgeFrame
from e3d_lmp.edges.store.writer import StoreWriter

ELEMENTS = ("C", "H", "O")
SPACING = 5.0


def cpu_seconds() -> float:
    """CPU time of this process so far, user and system."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def write_store(path: Path, n_atoms: int, n_frames: int) -> None:
    """A store of ethanol molecules, about n_atoms in all."""
    rng = np.random.default_rng(1)
    one = molecule("CH3CH2OH")
    kind = np.array([ELEMENTS.index(symbol) + 1 for symbol in one.get_chemical_symbols()], dtype=np.int32)
    vec = one.positions[None] - one.positions[:, None]
    distance = np.linalg.norm(vec, axis=2)
    a, b = np.nonzero((distance > 0.1) & (distance < 1.3 * 1.3))
    keep = distance[a, b] < np.where((kind[a] == 2) | (kind[b] == 2), 1.2, 1.7)
    a, b = a[keep], b[keep]
    count = max(round(n_atoms / len(one)), 1)
    side = int(np.ceil(count ** (1.0 / 3.0)))
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)[:count]
    box = Box(np.eye(3) * side * SPACING, np.zeros(3), np.ones(3, dtype=bool))
    ids = np.arange(1, count * len(one) + 1)
    types = np.tile(kind, count)
    first = np.repeat(np.arange(count) * len(one) + 1, len(a))
    i, j = first + np.tile(a, count), first + np.tile(b, count)
    symbols = np.array(ELEMENTS)[types - 1]
    with StoreWriter(
        path, request={}, elements=ELEMENTS, atom_columns=("position",), overwrite=True
    ) as store:
        for step in range(n_frames):
            shift = grid * SPACING + rng.normal(0.0, 0.2, grid.shape)
            position = (shift[:, None] + one.positions[None]).reshape(-1, 3)
            edges = position[j - 1] - position[i - 1]
            eps = rng.normal(-2.0, 0.4, len(i))
            frame = EdgeFrame(step, box, i, j, types[i - 1], types[j - 1], edges, eps)
            store.append(frame, AtomRows(ids, types, symbols, position))


def movie(folder: Path, n_atoms: int, size: tuple[int, int], n_frames: int, renderer_name: str) -> str:
    """One row: frames per second by wall and CPU time, of e3d render and of OVITO alone."""
    from ovito.io import import_file
    from ovito.pipeline import Pipeline, StaticSource

    from e3d_lmp.scene.modifier import E3DBonds
    from e3d_lmp.scene.pictures import Look, Stage, choose_renderer

    store = folder / f"{n_atoms}.h5"
    write_store(store, n_atoms, n_frames)
    rates = []
    for bare in (False, True):
        pipeline = import_file(str(store))
        modifier = E3DBonds(low=-6.0, high=-2.0)
        if bare:
            data = pipeline.compute(0)
            pipeline, modifier = Pipeline(source=StaticSource(data=data)), E3DBonds(low=-6.0, high=-2.0)
            modifier.colour_by = "D"
        pipeline.modifiers.append(modifier)
        frames = [0] if bare else range(n_frames)
        with Stage(pipeline, modifier, frames, look=Look(size=size, legend=not bare)) as stage:
            renderer = choose_renderer(renderer_name, quick=True)
            stage.image(renderer)  # starts the renderer
            wall, cpu = time.perf_counter(), cpu_seconds()
            if bare:
                for _ in range(n_frames):
                    stage.viewport.render_image(size=size, renderer=renderer)
            else:
                stage.movie(folder / "movie.mp4", renderer=renderer)
            rates += [n_frames / (time.perf_counter() - wall), n_frames / (cpu_seconds() - cpu)]
    atoms, bonds = data.particles.count, data.particles.bonds.count
    words = "  ".join(f"{rate:8.1f}" for rate in rates)
    return f"{atoms:7d}  {bonds:7d}  {size[0]}x{size[1]:<5d}  {words}"


def opening(folder: Path, n_frames: int) -> str:
    """Seconds to open a store of so many frames, and to show a frame in the middle."""
    from ovito.io import import_file

    store = folder / f"long{n_frames}.h5"
    write_store(store, 213, n_frames)
    start = time.perf_counter()
    pipeline = import_file(str(store))
    opened = time.perf_counter()
    pipeline.compute(n_frames // 2)
    shown = time.perf_counter()
    megabytes = store.stat().st_size / 1e6
    return f"{n_frames:7d} frames  {megabytes:7.1f} MB  {opened - start:6.2f} s  {shown - opened:6.3f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--atoms", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--frames", type=int, default=60, help="frames of each movie")
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--renderer", default="standard", choices=("standard", "tachyon"))
    parser.add_argument("--open", type=int, nargs="*", default=[50, 5000], help="stores of so many frames")
    args = parser.parse_args()
    check_ovito()
    import ovito
    from ovito.vis import StandardRenderer

    from e3d_lmp.commands.render import parse_size

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("  atoms    bonds  pixels     e3d/wall   e3d/CPU  bare/wall  bare/CPU   (frames per second)")
        for n_atoms in args.atoms:
            print(movie(folder, n_atoms, parse_size(args.size), args.frames, args.renderer), flush=True)
        print("opening a store of 213 atoms a frame: open, show the frame in the middle")
        for n_frames in args.open:
            print(opening(folder, n_frames), flush=True)
    adapters = ", ".join(each["name"] for each in StandardRenderer.available_adapters())
    print(f"OVITO {ovito.version_string}, {args.renderer} renderer, Vulkan: {adapters}")


if __name__ == "__main__":
    main()
