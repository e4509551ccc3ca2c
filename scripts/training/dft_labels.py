"""DFT labels of small molecules, radicals, bonds that break, reaction-like images and dimers, with PySCF.

    python scripts/training/dft_labels.py plan OUT --frames 1500    # the geometries; some minutes
    python scripts/training/dft_labels.py run OUT --jobs 2          # hours; goes on where it was stopped
    python scripts/training/dft_labels.py status OUT
    python scripts/training/dft_labels.py collect OUT -o dft_bonds.h5
    python scripts/training/dft_labels.py check OUT                 # atoms, gradient, atomization energies

Needs ``pip install pyscf pyscf-dispersion``, and for the plan ``rdkit tblite``. See docs/dft_labels.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import dft_check
import numpy as np
from dft_level import dft_labeller
from label_commands import commands_of, do
from label_frames import Frame
from label_run import planned, write_plan
from label_store import labels_of


def print_checks(out: Path) -> None:
    """Atoms against the shipped ones, a gradient against differences, atomization energies against W4-11."""
    labelled, _, _ = labels_of(out, planned(out))
    atoms = dft_check.atoms_differences()
    print(
        "atoms less the shipped ones, meV:",
        "  ".join(f"{name} {value:+.2f}" for name, value in atoms.items()),
    )
    bent = np.array([[0.0, 0.0, 0.0], [0.99, 0.05, 0.0], [-0.3, 0.90, 0.1]])
    water = Frame("molecule", "water, bent", "O", ("O", "H", "H"), bent, uncoupled=1)
    worst, largest = dft_check.gradient_difference(water, range(9))
    print(f"gradient of water: {worst * 1e3:.2f} meV/angstrom from differences; largest {largest * 1e3:.0f}")
    rows = dft_check.atomization(labelled, atoms)
    for smiles, ours, published in rows:
        print(f"{smiles:12s} {ours:8.3f} eV, W4-11 {published:8.3f} eV, difference {ours - published:+.3f}")
    if rows:
        mean = sum(abs(ours - published) for _, ours, published in rows) / len(rows)
        print(f"mean absolute difference of {len(rows)}: {mean:.3f} eV")


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser, commands = commands_of(
        __doc__, {"plan": "make the geometries", "check": "atoms, a gradient, atomization energies"}
    )
    commands["plan"].add_argument("--frames", type=int, default=1500)
    commands["plan"].add_argument("--seed", type=int, default=1)
    commands["run"].add_argument("--jobs", type=int, default=1, help="frames at a time, each on one core")
    args = parser.parse_args(argv)

    def make_plan() -> None:
        from dft_plan import plan

        write_plan(args.out, plan(args.frames, args.seed)[0])

    own = {"plan": make_plan, "check": lambda: print_checks(args.out)}
    return do(args, own, dft_labeller, getattr(args, "jobs", 1))


if __name__ == "__main__":
    raise SystemExit(main())
