"""Without the extra ``train``: what works, and the one line that says what to type for what does not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from e3d_lmp import cli, extras

MODELS = Path(__file__).resolve().parents[1] / "inputs/models"
WITHOUT = f"""
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in {extras.TRAIN}:
            raise ModuleNotFoundError(f"No module named '{{name}}'", name=name)

sys.meta_path.insert(0, Missing())
"""


def without_train(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python in which the modules of the extra cannot be found."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + code],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def e3d(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return without_train(f"from e3d_lmp.cli import main; sys.exit(main({[*map(str, words)]}))", folder)


def test_every_command_explains_itself(tmp_path: Path) -> None:
    code = f"""
from e3d_lmp.cli import call
import contextlib, io
for name in {list(cli.COMMANDS)}:
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
        call(name, ["--help"])
    assert "usage: e3d " + name in said.getvalue(), name
"""
    done = without_train(code, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("export", MODELS / "organic-small.nequip.zip", "out.safetensors"),
        ("evaluate", MODELS / "organic-small.nequip.zip", "s.xyz", "-o", "e.h5"),
        ("evaluate", "m.nequip.pth", "s.xyz", "-o", "e.h5"),
        ("inspect", MODELS / "organic-small.safetensors", "--against", MODELS / "organic-small.nequip.zip"),
        ("data", "prepare", "recipe.yaml", "--source", "s.hdf5", "-o", "data"),
        ("train", "config.yaml", "data", "-o", "run"),
    ],
    ids=lambda words: f"{words[0]}-{Path(words[1]).suffix[1:]}",
)
def test_one_line_says_what_to_type(words: tuple[object, ...], tmp_path: Path, model_files) -> None:
    (tmp_path / "s.xyz").write_text("1\n\nC 0 0 0\n")
    (tmp_path / "m.nequip.pth").symlink_to(model_files("allegro-plain"))
    done = e3d(tmp_path, *words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("e3d: error: "), done.stderr
    assert done.stderr.rstrip().endswith('is not installed; type: pip install "e3d-lmp[train]"'), done.stderr


def test_evaluation_and_calculator_work(tmp_path: Path) -> None:
    (tmp_path / "s.xyz").write_text("2\n\nC 0 0 0\nO 0 0 1.2\n")
    model = MODELS / "organic-small.safetensors"
    done = e3d(tmp_path, "evaluate", model, "s.xyz", "-o", "e.h5")
    assert done.returncode == 0, done.stderr
    done = e3d(tmp_path, "inspect", model, "--json")
    assert done.returncode == 0 and json.loads(done.stdout), done.stderr
    code = f"""
from ase import Atoms
from e3d_lmp import E3DCalculator
atoms = Atoms("CO", positions=[[0, 0, 0], [0, 0, 1.2]], calculator=E3DCalculator({str(model)!r}))
print(atoms.get_potential_energy(), len(atoms.calc.pairs().D))
assert "torch" not in sys.modules
"""
    done = without_train(code, tmp_path)
    assert done.returncode == 0, done.stderr
    energy, bonds = done.stdout.split()
    assert -20.0 < float(energy) < -5.0 and bonds == "1"


def test_other_missing_modules_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModuleNotFoundError), extras.needs_train("x"):
        import no_such_module  # noqa: F401
