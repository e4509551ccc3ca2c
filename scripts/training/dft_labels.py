"""DFT labels of small molecules, radicals, bonds that break, reaction-like images and dimers, with PySCF.

    python scripts/training/dft_labels.py plan OUT --frames 1500    # the geometries; some minutes
    python scripts/training/dft_labels.py run OUT --jobs 2          # hours; goes on where it was stopped
    python scripts/training/dft_labels.py status OUT
    python scripts/training/dft_labels.py collect OUT -o dft_bonds.h5
    python scripts/training/dft_labels.py check OUT                 # atoms, gradient, atomization energies

Needs ``pip install pyscf pyscf-dispersion``, and for the plan ``rdkit tblite``. See docs/dft_labels.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import dft_check
import numpy as np
from dft_level import dft_labeller
from label_frames import Frame
from label_run import planned, run, write_plan
from label_store import labels_of, print_status, write_store

from e3d_lmp.errors import E3DError


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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    commands = {
        name: verbs.add_parser(name, help=text)
        for name, text in (
            ("plan", "make the geometries"),
            ("run", "label them"),
            ("status", "how far it is"),
            ("collect", "what is labelled as one file in the SPICE layout"),
            ("check", "atoms, a gradient, atomization energies"),
        )
    }
    for one in commands.values():
        one.add_argument("out", type=Path)
    commands["plan"].add_argument("--frames", type=int, default=1500)
    commands["plan"].add_argument("--seed", type=int, default=1)
    commands["run"].add_argument("--jobs", type=int, default=1, help="frames at a time, each on one core")
    commands["collect"].add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args(argv)
    try:
        if args.verb == "plan":
            from dft_plan import plan

            write_plan(args.out, plan(args.frames, args.seed)[0])
        elif args.verb == "run":
            counts = run(args.out, dft_labeller(), args.jobs)
            print(f"labelled: {counts.pop('', 0)}; dropped: {dict(counts) or 0}")
        elif args.verb == "status":
            print_status(args.out, planned(args.out))
        elif args.verb == "collect":
            write_store(args.out, planned(args.out), dft_labeller(), args.output)
        else:
            print_checks(args.out)
    except E3DError as error:
        print(f"dft_labels.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
