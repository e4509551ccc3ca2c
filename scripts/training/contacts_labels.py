"""Pairs and clusters of molecules, cut from liquids, with AIMNet2's energies and forces. Not DFT.

    python scripts/training/contacts_labels.py cut OUT liquid.extxyz ... --clusters 300 --pairs 600
    python scripts/training/contacts_labels.py run OUT --model aimnet2_wb97m-d3_0.jpt
    python scripts/training/contacts_labels.py status OUT
    python scripts/training/contacts_labels.py collect OUT --model aimnet2_wb97m-d3_0.jpt -o contacts.h5
    python scripts/training/contacts_labels.py sample SAMPLE OUT --pairs 16

The liquids are periodic frames in any file that ASE reads, as what a model's own run has dumped. The model is
a file that you have (see `e3d_lmp.training.data.aimnet2`). `run` goes on where it was stopped. `sample` plans
pairs that DFT can afford, and their molecules, for `run` here and, in a copy of the folder, for
`dft_labels.py run`; `compare` then says how far these labels are from DFT.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.units import Bohr, Hartree
from dft_geometry import closest
from dft_plan import LARGEST, affordable
from hydrogen_bonds import MIN_DISTANCE, on_their_way
from label_commands import commands_of, do
from label_frames import Dropped, Frame, Label, Labeller, round_robin
from label_run import planned, write_plan
from label_store import Labelled, labels_of

from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.clusters import (
    Molecules,
    molecules_of,
    nearest,
    pairs_in_contact,
    whole_molecules,
)


def cut(
    liquids: Sequence[Path],
    clusters: int,
    size: tuple[int, int],
    max_atoms: int,
    pairs: int,
    protons: int,
    seed: int,
) -> list[Frame]:
    """Clusters and pairs from random frames of the liquids, the liquids in turn, each once.

    Parameters
    ----------
    clusters, pairs, protons : how many of each, over all liquids; the last are pairs with the protons of
        hydrogen bonds on their way to the other molecule
    size : fewest and most molecules of a cluster
    max_atoms : of a cluster; what is larger loses its outermost molecules

    Raises
    ------
    E3DError
        A file cannot be read, or is not a periodic liquid of separate molecules.
    """
    rng, other = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    frames = [(path, _frames(path)) for path in liquids]
    made = round_robin(
        (
            _share(clusters, [_clusters(path, boxes, size, max_atoms, rng) for path, boxes in frames]),
            _share(pairs, [_pairs(path, boxes, rng) for path, boxes in frames]),
            _share(protons, [_protons(path, boxes, other) for path, boxes in frames]),
        )
    )
    return list({frame.key: frame for frame in made}.values())


def _share(count: int, rows: list[Iterator[Frame]]) -> Iterator[Frame]:
    for _, frame in zip(range(count), round_robin(rows), strict=False):
        yield frame


def _frames(path: Path) -> list[Atoms]:
    import ase.io

    try:
        frames = list(ase.io.iread(path, index=":"))
    except Exception as error:  # ASE's readers raise whatever they like
        raise E3DError(f"expected frames that ASE reads at '{path}', got: {error}") from None
    if not all(frame.pbc.all() for frame in frames):
        raise E3DError(f"expected periodic frames of a liquid in '{path}', got one that is not periodic")
    return frames


def _whole(frame: Atoms) -> Molecules:
    return whole_molecules(frame.numbers, frame.positions, frame.cell.array, frame.pbc)


def _clusters(
    path: Path, boxes: list[Atoms], size: tuple[int, int], max_atoms: int, rng: np.random.Generator
) -> Iterator[Frame]:
    while True:
        number = int(rng.integers(len(boxes)))
        molecules = _whole(boxes[number])
        count = int(rng.integers(size[0], size[1] + 1))
        middle = int(rng.integers(len(molecules.members)))
        atoms, positions = nearest(molecules, middle, count, max_atoms)
        name = f"{path.stem}/{number} around {middle}, {len(atoms)} atoms"
        yield _frame("cluster", name, molecules.numbers[atoms], positions)


def _pairs(path: Path, boxes: list[Atoms], rng: np.random.Generator) -> Iterator[Frame]:
    while True:
        number = int(rng.integers(len(boxes)))
        molecules = _whole(boxes[number])
        found = pairs_in_contact(molecules)
        if not found:
            raise E3DError(f"expected molecules in contact in frame {number} of '{path}', found none")
        for k in rng.permutation(len(found))[:20]:
            atoms, positions, first = found[k]
            yield _frame(
                "pair", f"{path.stem}/{number} {atoms[0]} {atoms[first]}", molecules.numbers[atoms], positions
            )


def _protons(path: Path, boxes: list[Atoms], rng: np.random.Generator) -> Iterator[Frame]:
    without = 0  # frames one after the other in which no pair has a hydrogen bond
    while without < 20:
        number = int(rng.integers(len(boxes)))
        molecules = _whole(boxes[number])
        found = pairs_in_contact(molecules)
        made = 0
        for k in rng.permutation(len(found)):
            atoms, positions, first = found[k]
            moved = on_their_way(
                Atoms(molecules.numbers[atoms], positions), first, int(rng.integers(1, 4)), rng
            )
            if moved is not None and closest(moved.numbers, moved.positions) > MIN_DISTANCE:
                made += 1
                name = f"{path.stem}/{number} {atoms[0]} {atoms[first]}, protons moved"
                yield _frame("proton", name, moved.numbers, moved.positions)
            if made == 10:
                break
        without = 0 if made else without + 1


def _frame(group: str, name: str, numbers: np.ndarray, positions: np.ndarray) -> Frame:
    symbols = tuple(Atoms(numbers).get_chemical_symbols())
    return Frame(group, name, "", symbols, positions - positions.mean(axis=0))


def aimnet2_labeller(path: Path) -> Labeller:
    """AIMNet2 for `label_run`."""
    import torch

    from e3d_lmp.training.data.aimnet2 import AIMNet2

    torch.set_num_threads(1)
    model = AIMNet2(path)

    def label(frame: Frame) -> Label:
        (made,) = many([frame])
        if isinstance(made, Dropped):
            raise made
        return made

    def many(frames: Sequence[Frame]) -> list[Label | Dropped]:
        start = time.process_time()
        energies, forces = model.many(
            np.array([Atoms(frame.symbols).numbers for frame in frames]),
            np.array([frame.positions for frame in frames]),
        )
        seconds = (time.process_time() - start) / len(frames)
        gradients = -forces * Bohr / Hartree
        return [
            Label(energy / Hartree, gradient, 1, 0.0, "AIMNet2", seconds)
            if np.isfinite(energy) and np.isfinite(gradient).all()
            else Dropped("energy not finite, as of an element that AIMNet2 does not know")
            for energy, gradient in zip(energies.tolist(), gradients, strict=True)
        ]

    settings = {"level": "AIMNet2 (wB97M-D3), not DFT"}
    return Labeller(label, "AIMNet2", settings, {"model_sha256": model.sha256}, many)


def sample(folder: Path, count: int, group: str = "pair", largest: int = LARGEST) -> list[Frame]:
    """The first pairs of a folder's plan that DFT can afford, each with its two molecules as they are in it.

    Parameters
    ----------
    group : ``pair``, or ``proton`` for those with protons on their way, which are taken without molecules
    largest : basis functions of a frame, at most

    Raises
    ------
    E3DError
        The folder has no plan, or no such pair.
    """
    pairs = [
        frame for frame in planned(folder) if frame.group == group and affordable(frame.symbols, largest)
    ]
    if not pairs:
        raise E3DError(
            f"expected frames of group '{group}' that DFT can afford in the plan of '{folder}', found none"
        )
    if group == "proton":
        return pairs[:count]
    return [one for frame in pairs[:count] for one in (frame, *molecules_in(frame))]


def molecules_in(pair: Frame) -> list[Frame]:
    """The molecules of a pair, each as a frame."""
    numbers = Atoms(pair.symbols).numbers
    return [
        Frame(
            "molecule", f"{pair.name}, {k}", "", tuple(pair.symbols[a] for a in atoms), pair.positions[atoms]
        )
        for k, atoms in enumerate(molecules_of(numbers, np.asarray(pair.positions)), 1)
    ]


def interactions(labels: Mapping[str, Labelled]) -> dict[str, float]:
    """E_AB - E_A - E_B in eV of the pairs whose molecules have labels too, by key."""
    found = {}
    for key, one in labels.items():
        if one.frame.group != "pair":
            continue
        parts = [labels.get(part.key) for part in molecules_in(one.frame)]
        energies = [part.row["energy"] for part in parts if part is not None]
        if len(energies) == len(parts) == 2:  # atoms of molecules that reacted are no pair
            found[key] = (one.row["energy"] - sum(energies)) * Hartree
    return found


def compare(folder: Path, reference: Path) -> None:
    """Print how far the labels of two folders are apart on the frames that both have, by group; frames that
    either says to be open-shell are by themselves. Then interaction energies of pairs, where both have the
    molecules too."""
    ours, theirs = (
        {one.frame.key: one for one in labels_of(where, planned(where))[0]} for where in (folder, reference)
    )
    keys = [key for key in ours if key in theirs]
    if not keys:
        raise E3DError(f"expected frames that '{folder}' and '{reference}' both have labelled, found none")
    groups: dict[str, list[str]] = {}
    for key in keys:
        open_shell = "UKS" in (ours[key].row["method"], theirs[key].row["method"])
        groups.setdefault(ours[key].frame.group + ", open-shell" * open_shell, []).append(key)
    for group, members in groups.items():
        energy = np.array([(ours[k].row["energy"] - theirs[k].row["energy"]) * Hartree for k in members])
        per_atom = energy / [len(ours[k].frame.symbols) for k in members]
        force = np.concatenate(
            [
                np.ravel(np.subtract(ours[k].row["gradient"], theirs[k].row["gradient"])) * Hartree / Bohr
                for k in members
            ]
        )
        print(
            f"{group}: {len(members)} frames: energy {np.abs(energy).mean():.3f} eV mean absolute, mean "
            f"{energy.mean():+.3f}, largest {np.abs(energy).max():.3f}, {1e3 * np.abs(per_atom).mean():.2f} "
            f"meV/atom, forces {1e3 * np.abs(force).mean():.1f} meV/angstrom"
        )
    made, expected = interactions(ours), interactions(theirs)
    both = [key for key in made if key in expected]
    if both:
        difference = np.array([made[key] - expected[key] for key in both])
        error = difference.std(ddof=1) / len(both) ** 0.5 if len(both) > 1 else float("nan")
        print(
            f"interaction energies of {len(both)} pairs: {np.abs(difference).mean():.3f} eV mean absolute, "
            f"mean {difference.mean():+.3f} +- {error:.3f}, where they are "
            f"{np.mean([expected[key] for key in both]):+.3f} eV on average"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser, commands = commands_of(
        __doc__,
        {
            "cut": "cut pairs and clusters from liquids",
            "sample": "plan pairs of another folder, and their molecules, for DFT",
            "compare": "with another folder's labels of the same frames",
        },
    )
    commands["cut"].add_argument("liquids", type=Path, nargs="+")
    commands["cut"].add_argument("--clusters", type=int, default=300)
    commands["cut"].add_argument(
        "--size", type=int, nargs=2, default=(20, 40), help="fewest and most molecules of a cluster"
    )
    commands["cut"].add_argument("--pairs", type=int, default=600)
    commands["cut"].add_argument(
        "--protons", type=int, default=0, help="pairs with the protons of hydrogen bonds moved (default 0)"
    )
    commands["cut"].add_argument(
        "--max-atoms", type=int, default=120, help="of a cluster, which else loses its outermost molecules"
    )
    commands["cut"].add_argument("--seed", type=int, default=1)
    for name in ("run", "collect"):
        commands[name].add_argument("--model", type=Path, required=True, help="AIMNet2's TorchScript file")
    commands["sample"].add_argument("pairs_of", type=Path, help="folder whose plan has the pairs")
    commands["sample"].add_argument("--pairs", type=int, default=16)
    commands["sample"].add_argument("--group", choices=("pair", "proton"), default="pair")
    commands["sample"].add_argument(
        "--functions",
        type=int,
        default=LARGEST,
        help=f"basis functions of a frame, at most (default {LARGEST})",
    )
    commands["compare"].add_argument("reference", type=Path)
    args = parser.parse_args(argv)

    def make_plan() -> None:
        fewest, most = args.size
        if not 1 <= fewest <= most:
            raise E3DError(f"--size {fewest} {most}: expected the fewest and the most molecules, from 1 up")
        if args.max_atoms < 1:
            raise E3DError(f"--max-atoms {args.max_atoms}: expected a number of atoms, from 1 up")
        write_plan(
            args.out,
            cut(
                args.liquids,
                args.clusters,
                (fewest, most),
                args.max_atoms,
                args.pairs,
                args.protons,
                args.seed,
            ),
        )

    def plan_sample() -> None:
        if args.pairs < 1:
            raise E3DError(f"--pairs {args.pairs}: expected a number of pairs, from 1 up")
        write_plan(args.out, sample(args.pairs_of, args.pairs, args.group, args.functions))

    own = {
        "cut": make_plan,
        "sample": plan_sample,
        "compare": lambda: compare(args.out, args.reference),
    }
    return do(args, own, lambda: aimnet2_labeller(args.model))


if __name__ == "__main__":
    raise SystemExit(main())
