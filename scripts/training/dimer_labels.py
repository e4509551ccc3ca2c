"""Dimers of molecules of a training set, near their minima, with AIMNet2's energies and forces. Not DFT.

    python scripts/training/dimer_labels.py plan OUT --data FOLDER --model aimnet2_wb97m-d3_0.jpt
    python scripts/training/dimer_labels.py run OUT --model aimnet2_wb97m-d3_0.jpt
    python scripts/training/dimer_labels.py status OUT
    python scripts/training/dimer_labels.py collect OUT --model aimnet2_wb97m-d3_0.jpt -o dimers.h5

FOLDER is what `e3d data prepare` wrote. Both molecules come from its training part, so no molecule that is
held out is in a dimer. `--exclude` names files of dimers to test with (of `held_out_dimers.py`), whose pairs
are left out too. Each pair is put together at random and relaxed with AIMNet2. Its frames are the start, one
from halfway, the last one, and this one with the molecules pushed together or pulled apart, and with the
protons of its hydrogen bonds on their way to the other molecule: a model that has seen protons move within
molecules only may share them between molecules. And each molecule alone as it is in the last frame, so that a
model can learn the difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import isomer_geometry as geometry
import numpy as np
from ase import Atoms
from contacts_labels import aimnet2_labeller
from dft_geometry import bonded, closest
from held_out_dimers import read, shifted
from hydrogen_bonds import MIN_DISTANCE, on_their_way
from label_commands import commands_of, do
from label_frames import Frame, round_robin
from label_run import write_plan

from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.aimnet2 import AIMNet2
from e3d_lmp.training.data.database import iter_frames, read_manifest
from e3d_lmp.training.data.placement import place_pair
from e3d_lmp.training.data.split import molecule_key

SUBSETS = (
    "SPICE DES Monomers",
    "Diverse molecules, thermal",
    "RDB7 reactants, thermal",
    "SPICE Amino Acid Ligand test",
)
"""Whose molecules are taken: whole molecules near their minima."""
CONTACTS = (0.75, 1.0)  # of the start, in sums of van der Waals radii
HALFWAY, RELAXING, RELAXED = 10, 30, 0.02  # steps, steps, eV/angstrom
SHIFTS = {"close": (-0.4, -0.1), "apart": (0.2, 0.8), "far": (0.8, 2.0)}  # angstrom

Pair = tuple[str, str]
"""Keys of two molecules (`molecule_key`), in alphabetical order."""


def pair_of(first: Atoms, second: Atoms) -> Pair:
    """The same for every order and geometry of the two molecules."""
    one, other = sorted(molecule_key(part.numbers, part.positions) for part in (first, second))
    return one, other


def excluded_pairs(paths: Sequence[Path]) -> set[Pair]:
    """Pairs of files of `held_out_dimers.py`; `E3DError` where one cannot be read."""
    found = set()
    for path in paths:
        for atoms in read(path):
            first = int(atoms.info["first"])
            found.add(pair_of(atoms[:first], atoms[first:]))
    return found


def molecules_of_set(
    folder: Path, subsets: Collection[str], max_atoms: int, count: int, rng: np.random.Generator
) -> list[Atoms]:
    """Random molecules of the training part of a set, each in a random one of its frames; as many of each
    subset.

    Raises
    ------
    E3DError
        There is no set, or no molecule of these subsets is small enough.
    """
    frames: dict[str, dict[str, list[int]]] = {}
    for number, (subset, name, _) in enumerate(read_manifest(folder)["sets"]["train"]["entries"]):
        if subset in subsets:
            frames.setdefault(subset, {}).setdefault(name, []).append(number)
    database = folder / "train.lmdb"
    small: list[list[list[int]]] = []  # frames of the molecules of the subsets
    for _, own in sorted(frames.items()):
        sizes = [len(frame["pos"]) for frame in iter_frames(database, [rows[0] for rows in own.values()])]
        small.append([rows for rows, size in zip(own.values(), sizes, strict=True) if size <= max_atoms])
    small = [own for own in small if own]
    if not small:
        raise E3DError(
            f"expected molecules of at most {max_atoms} atoms of {', '.join(subsets)} in '{folder}', "
            "found none; give --max-atoms a larger number, or --subsets other names"
        )
    chosen = []
    for _ in range(count):
        molecules = small[int(rng.integers(len(small)))]
        chosen.append(int(rng.choice(molecules[int(rng.integers(len(molecules)))])))
    return [
        Atoms(frame["atomic_numbers"].reshape(-1).numpy(), frame["pos"].double().numpy())
        for frame in iter_frames(database, chosen)
    ]


def plan(
    model: AIMNet2,
    molecules: Sequence[Atoms],
    excluded: Collection[Pair],
    rng: np.random.Generator,
    say: Callable[[str], None] = print,
) -> tuple[list[Frame], Counter[str]]:
    """Frames of the dimers of the first and second molecule, third and fourth, ..., and what was left out by
    reason."""
    lost: Counter[str] = Counter()
    pairs: list[tuple[int, str, Atoms]] = []  # atoms of the first molecule, name, start
    for number, (first, second) in enumerate(zip(molecules[::2], molecules[1::2], strict=False)):
        if pair_of(first, second) in excluded:
            lost["excluded pair"] += 1
            continue
        positions = place_pair(
            [first.numbers, second.numbers],
            [first.positions, second.positions],
            rng.uniform(*CONTACTS),
            rng,
        )
        name = f"{number} {first.get_chemical_formula()}.{second.get_chemical_formula()}"
        pairs.append((len(first), name, Atoms(np.concatenate([first.numbers, second.numbers]), positions)))
    numbers = [start.numbers for _, _, start in pairs]
    halfway, _ = geometry.relaxed(model, numbers, [start.positions for *_, start in pairs], HALFWAY, RELAXED)
    say(f"{len(pairs)} pairs, halfway relaxed")
    last, _ = geometry.relaxed(model, numbers, halfway, RELAXING, RELAXED)
    rows = []
    for (count, name, start), middle, end in zip(pairs, halfway, last, strict=True):
        if (bonded(Atoms(start.numbers, end)) != bonded(start)).any():
            lost["other bonds when relaxed"] += 1
        else:
            rows.append([*_frames(count, name, start, middle, end, rng, lost)])
    return list(round_robin(rows)), lost


def _frames(
    first: int,
    name: str,
    start: Atoms,
    middle: np.ndarray,
    end: np.ndarray,
    rng: np.random.Generator,
    lost: Counter[str],
) -> Iterator[Frame]:
    minimum = Atoms(start.numbers, end)
    made: dict[str, Atoms | None] = {
        "minimum": minimum,
        "halfway": Atoms(start.numbers, middle),
        "start": start,
        **{kind: shifted(minimum, first, rng.uniform(*ends)) for kind, ends in SHIFTS.items()},
        "proton": on_their_way(minimum, first, 1, rng),
        "protons": on_their_way(minimum, first, 3, rng),
    }
    for kind, atoms in made.items():
        if atoms is None:
            continue
        if closest(atoms.numbers, atoms.positions) < MIN_DISTANCE:
            lost["frame with atoms on top of each other"] += 1
        else:
            yield _frame("dimer", f"{name} {kind}", atoms)
    yield _frame("monomer", f"{name} first", minimum[:first])
    yield _frame("monomer", f"{name} second", minimum[first:])


def _frame(group: str, name: str, atoms: Atoms) -> Frame:
    positions = atoms.positions - atoms.positions.mean(axis=0)
    return Frame(group, name, "", tuple(atoms.get_chemical_symbols()), positions)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser, commands = commands_of(__doc__, {"plan": "make the geometries"})
    commands["plan"].add_argument(
        "--data", type=Path, required=True, metavar="FOLDER", help="of 'e3d data prepare'"
    )
    commands["plan"].add_argument("--pairs", type=int, default=700)
    commands["plan"].add_argument("--max-atoms", type=int, default=14, help="of one molecule (default 14)")
    commands["plan"].add_argument("--subsets", nargs="+", default=SUBSETS, metavar="NAME")
    commands["plan"].add_argument("--exclude", type=Path, nargs="*", default=[], metavar="DIMERS.extxyz")
    commands["plan"].add_argument("--seed", type=int, default=1)
    for name in ("plan", "run", "collect"):
        commands[name].add_argument("--model", type=Path, required=True, help="AIMNet2's TorchScript file")
    args = parser.parse_args(argv)

    def make_plan() -> None:
        import torch

        if args.pairs < 1:
            raise E3DError(f"--pairs {args.pairs}: expected a number of pairs, from 1 up")
        torch.set_num_threads(1)
        rng = np.random.default_rng(args.seed)
        molecules = molecules_of_set(args.data, args.subsets, args.max_atoms, 2 * args.pairs, rng)
        frames, lost = plan(AIMNet2(args.model), molecules, excluded_pairs(args.exclude), rng)
        write_plan(args.out, frames)
        print(
            "left out:", "; ".join(f"{reason}: {count}" for reason, count in lost.most_common()) or "nothing"
        )

    return do(args, {"plan": make_plan}, lambda: aimnet2_labeller(args.model))


if __name__ == "__main__":
    raise SystemExit(main())
