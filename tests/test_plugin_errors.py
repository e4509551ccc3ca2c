"""Bad input to the plugin: messages say what to do, the exit code is not 0, nothing half-written stays."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch
from ase import Atoms

from lammps_runs import run_lammps, script_of, start_lammps, write_data
from systems import ELEMENTS, cluster

EDGES = "compute late all e3d/edge/local tag1 tag2 eps"


def _small() -> Atoms:
    return cluster(n_atoms=6, seed=6)


@pytest.fixture
def good(model_files) -> Path:
    """A model file that works."""
    return model_files("allegro-everything", "pth", "float64")


def _script(model: Path, **options: str) -> str:
    return script_of(model, ELEMENTS, boundary="f f f", edges=False, **options)


def expect_error(script: str, folder: Path, *messages: str, ranks: int = 1) -> None:
    """The run fails, and says each of `messages`."""
    if not (folder / "data.lmp").exists():
        write_data(folder / "data.lmp", _small(), ELEMENTS)
    run = start_lammps(script, folder, ranks)
    assert run.code != 0, f"lmp went on:\n{run.output[-1500:]}"
    one_line = " ".join(run.output.split())
    for message in messages:
        assert message in one_line, f"expected '{message}' in:\n{run.output[-1500:]}"
    assert not (folder / "result.json").exists()


def test_the_good_input_works(good: Path, tmp_path: Path) -> None:
    """Everything below differs from this in one point only."""
    write_data(tmp_path / "data.lmp", _small(), ELEMENTS)
    run_lammps(_script(good), tmp_path)


@pytest.mark.parametrize("ranks", [1, 2])
def test_missing_model(ranks: int, tmp_path: Path) -> None:
    expect_error(
        _script(tmp_path / "none.nequip.pt2"), tmp_path, "pair_style e3d", "none.nequip.pt2", ranks=ranks
    )


@pytest.mark.parametrize("ending", ["pth", "pt2"])
def test_truncated_model(ending: str, good: Path, model_files, tmp_path: Path) -> None:
    whole = model_files("allegro-everything", "pt2", "float32") if ending == "pt2" else good
    broken = tmp_path / f"half.nequip.{ending}"
    broken.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    expect_error(_script(broken), tmp_path, "pair_style e3d", "half.nequip")


def _without(source: Path, target: Path, key: str) -> Path:
    """A copy of a TorchScript file without one metadata key, or (key '*') without any."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for item in old.infolist():
            if "/extra/" in item.filename and key in ("*", item.filename.rsplit("/", 1)[1]):
                continue
            new.writestr(item, old.read(item.filename))
    return target


def test_model_of_another_pair_style(good: Path, tmp_path: Path) -> None:
    """A file that nequip compiled for its own pair styles has no e3d contract."""
    module = torch.jit.script(torch.nn.Identity())
    foreign = tmp_path / "deployed.nequip.pth"
    torch.jit.save(module, str(foreign), _extra_files={"r_max": b"4.0", "type_names": b"H C O"})
    expect_error(_script(foreign), tmp_path, "contract", "e3d export")
    stripped = _without(good, tmp_path / "stripped.nequip.pth", "*")
    expect_error(_script(stripped), tmp_path, "contract", "e3d export")


@pytest.mark.parametrize("key", ["cutoffs", "shifts", "decomposition", "type_elements"])
def test_missing_metadata_key_is_named(key: str, good: Path, tmp_path: Path) -> None:
    expect_error(_script(_without(good, tmp_path / "m.nequip.pth", key)), tmp_path, key, "e3d export")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_wrong_device(good: Path, model_files, tmp_path: Path) -> None:
    expect_error(_script(good, pair_options="device cuda"), tmp_path, "device cuda", "cannot use here")
    compiled = model_files("allegro-everything", "pt2", "float32")
    expect_error(
        _script(compiled, pair_options="device cuda"), tmp_path, "compiled for device cpu", "--device cuda"
    )


@pytest.mark.parametrize(
    ("words", "messages"),
    [
        ("O H Xx", ("no type 'Xx'", "H C O")),
        ("O H", ("3 atom types", "2 words follow the model")),
        ("O H C C", ("3 atom types", "4 words follow the model")),
        ("NULL NULL NULL", ("all atom types are NULL",)),
    ],
)
def test_wrong_types(words: str, messages: tuple[str, ...], good: Path, tmp_path: Path) -> None:
    pair = f"pair_style e3d\npair_coeff * * {good} {words}"
    expect_error(_script(good, pair=pair), tmp_path, *messages)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("chunk 0", "chunk must be auto or a positive number"),
        ("device tpu", "Unknown pair_style e3d device 'tpu'"),
        ("chunks 4", "Unknown pair_style e3d keyword 'chunks'"),
    ],
)
def test_wrong_settings(options: str, message: str, good: Path, tmp_path: Path) -> None:
    expect_error(_script(good, pair_options=options), tmp_path, message)


def test_units_other_than_metal_and_real(good: Path, tmp_path: Path) -> None:
    expect_error(_script(good, units="lj"), tmp_path, "units metal", "units real", "not 'units lj'")


def test_newton_off(good: Path, tmp_path: Path) -> None:
    expect_error(_script(good).replace("newton on", "newton off"), tmp_path, "newton on")


def test_no_atom_ids(good: Path, tmp_path: Path) -> None:
    script = f"""
units metal
atom_style atomic
atom_modify id no
boundary f f f
region box block 0 40 0 40 0 40
create_box 3 box
create_atoms 1 single 3 3 3
mass * 12.0
pair_style e3d
pair_coeff * * {good} O H C
run 0
"""
    expect_error(script, tmp_path, "atom_modify id no")


def _bonded(folder: Path) -> None:
    """A data file with molecular topology: one bond."""
    write_data(folder / "data.lmp", _small(), ELEMENTS)
    text = (folder / "data.lmp").read_text()
    text = text.replace("atom types\n", "atom types\n1 bonds\n1 bond types\n").replace("# atomic", "# bond")
    lines, atoms = [], False
    for line in text.splitlines():
        atoms = atoms or line.startswith("Atoms")
        words = line.split()
        if atoms and len(words) == 5:
            line = " ".join([words[0], "1", *words[1:]])
        lines.append(line)
    (folder / "data.lmp").write_text("\n".join(lines) + "\n\nBonds\n\n1 1 1 2\n")


def test_special_bonds_that_hide_neighbours(good: Path, tmp_path: Path) -> None:
    """With topology, weights of 0 drop bonded neighbours from the list: an error that names the way out."""
    _bonded(tmp_path)
    script = _script(good).replace("atom_style atomic", "atom_style bond\nbond_style zero\n")
    script = script.replace("read_data data.lmp", "read_data data.lmp\nbond_coeff *")
    expect_error(script, tmp_path, "special_bonds lj/coul 1.0 1.0 1.0")
    fixed = script.replace("neighbor 0.5", "special_bonds lj/coul 1.0 1.0 1.0\nneighbor 0.5")
    assert fixed != script
    run = run_lammps(fixed, tmp_path)
    (tmp_path / "plain").mkdir()
    write_data(tmp_path / "plain" / "data.lmp", _small(), ELEMENTS)
    assert run.json()["pe"] == pytest.approx(
        run_lammps(_script(good), tmp_path / "plain").json()["pe"], abs=1e-9
    )


def test_compute_cutoff_beyond_the_models(good: Path, tmp_path: Path) -> None:
    """C-H bonds out to 3.0 angstrom cannot be read from a model whose H -> C edges end at 2.6."""
    tail = f"{EDGES} cutoff 3.0\nrun 0"
    expect_error(_script(good, tail=tail), tmp_path, "compute late e3d/edge/local", "cutoff")


def test_unknown_compute_value(good: Path, tmp_path: Path) -> None:
    expect_error(
        _script(good, tail="compute late all e3d/edge/local tag1 energy\nrun 0"), tmp_path, "'energy'", "eps"
    )
    expect_error(
        _script(good, tail="compute late all e3d/edge/local\nrun 0"), tmp_path, "give at least one value"
    )


def test_compute_without_the_pair_style(tmp_path: Path, good: Path) -> None:
    pair = "pair_style zero 5.0\npair_coeff * *"
    script = _script(good, pair=pair, tail=f"{EDGES}\ndump late all local 1 late.dump c_late[*]\nrun 0")
    script = script.replace("centroid/stress/atom", "stress/atom")
    expect_error(script, tmp_path, "compute late e3d/edge/local", "needs exactly one pair_style e3d")


def test_stale_frame(good: Path, tmp_path: Path) -> None:
    """Atoms are gone since the model ran: the compute refuses to read, and says `run 0` first."""
    tail = f"""
{EDGES}
compute sum all reduce sum c_late[3] inputs local
run 0
group gone id 1
delete_atoms group gone compress no
print "sum $(c_sum)"
"""
    expect_error(_script(good, tail=tail), tmp_path, "type 'run 0' first")


def test_atoms_on_top_of_each_other(good: Path, tmp_path: Path) -> None:
    """An energy that is not a number stops the run with its step, it does not spread."""
    atoms = _small()
    atoms.positions[1] = atoms.positions[0]
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS)
    expect_error(_script(good), tmp_path, "not a number")
