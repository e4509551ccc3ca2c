"""``fix e3d/shc``: correlations of virials and energies with velocities, against sums over dumped atoms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from analytic_models import LENNARD_JONES, TERSOFF_SIC
from lammps_runs import NKTV2P, run_lammps, script_of, start_lammps, write_data
from systems import ELEMENTS, box, hot_silicon_carbide, noble_gases
from tolerances import SUM_RULE, close

FLOAT = 3e-6
"""Relative; what an atom keeps of earlier samples is rounded to float32."""
DUMP = """compute kea all ke/atom
dump heat all custom 2 heat.dump id type vx vy vz c_pea c_kea c_centroid[*]
dump_modify heat format float %.17g sort id
"""


def read_shc(path: Path) -> tuple[dict[str, list[str]], np.ndarray, np.ndarray]:
    """Words of the head by name; lags; (blocks, 2, lags) potential and convective part."""
    lines = path.read_text().splitlines()
    head = {words[1]: words[2:] for words in (line.split() for line in lines if line[0] == "#")}
    table = np.loadtxt(path)
    return head, table[:, 0], table[:, 1:].T.reshape(-1, 2, len(table))


def correlation(
    folder: Path, direction: np.ndarray, lags: int, inside: np.ndarray | None = None
) -> np.ndarray:
    """(samples, 2, 2 lags - 1) sum_i over atoms, for every sample from the first with a full ring."""
    from lammps_runs import read_dump

    frames = [frame for frame in read_dump(folder / "heat.dump") if frame.step > 0]
    w, e, v = [], [], []
    for frame in frames:
        s = -np.stack([frame[f"c_centroid[{k}]"] for k in range(1, 10)], axis=1) / NKTV2P
        virial = s[:, [0, 3, 4, 6, 1, 5, 7, 8, 2]].reshape(-1, 3, 3)
        chosen = np.ones(len(frame), bool) if inside is None else inside
        w.append(np.einsum("a,iab->ib", direction, virial) * chosen[:, None])
        e.append((frame["c_pea"] + frame["c_kea"]) * chosen)
        v.append(np.stack([frame["vx"], frame["vy"], frame["vz"]], axis=1) * chosen[:, None])
    rows = []
    for now in range(lags - 1, len(frames)):
        row = np.zeros((2, 2 * lags - 1))
        for lag in range(lags):
            then = now - lag
            row[0, lags - 1 + lag] = (w[then] * v[now]).sum()
            row[1, lags - 1 + lag] = (e[then] * (v[now] @ direction)).sum()
            row[0, lags - 1 - lag] = (w[now] * v[then]).sum()
            row[1, lags - 1 - lag] = (e[now] * (v[then] @ direction)).sum()
        rows.append(row)
    return np.array(rows)


def fast_gases() -> Atoms:
    """Atoms that cross a third of the box during a run."""
    atoms = noble_gases()
    atoms.arrays["velocities"] *= 4.0
    return atoms


@pytest.mark.parametrize(
    ("model", "ranks", "group"),
    [
        (("lj",), 4, "type 2"),
        (("tersoff-sic",), 2, "all"),
        (("allegro-cutoffs", "safetensors", "float64"), 3, "type 2"),
        (("allegro-cutoffs", "safetensors", "float32"), 1, "all"),
    ],
)
def test_equals_sums_over_dumped_atoms(
    model: tuple[str, ...], ranks: int, group: str, tmp_path: Path, model_files
) -> None:
    """Every lag of every block, while atoms change their rank and their place in memory."""
    make, elements, time_step = {
        "lj": (fast_gases, LENNARD_JONES.elements, 0.004),
        "tersoff-sic": (hot_silicon_carbide, TERSOFF_SIC.elements, 0.0005),
        "allegro-cutoffs": (box, ELEMENTS, 0.0005),
    }[model[0]]
    atoms = make()
    write_data(tmp_path / "data.lmp", atoms, elements, velocities=True)
    select = "group some union all" if group == "all" else f"group some {group}"
    tail = f"""{DUMP}{select}
atom_modify sort 3 0.0
fix out some e3d/shc 2 5 12 2.0 -1.0 0.5 file shc.txt
timestep {time_step}
fix md all nve
thermo 10
run 20
run 16
print "$(f_out:%.17g) $(f_out[1][1]:%.17g) $(f_out[5][2]:%.17g)" file array.txt screen no
"""
    script = script_of(model_files(*model), elements, tail=tail, edges=False)
    run_lammps(script, tmp_path, ranks)
    direction = np.array([2.0, -1.0, 0.5]) / np.linalg.norm([2.0, -1.0, 0.5])
    inside = None if group == "all" else np.array([symbol == elements[1] for symbol in atoms.symbols])
    want = correlation(tmp_path, direction, 5, inside)
    head, lags, got = read_shc(tmp_path / "shc.txt")
    assert head["e3d-shc/1"] == [] and head["units"] == ["metal"]
    assert int(head["samples"][0]) == 6 and int(head["blocks"][0]) == len(got) == 2
    assert [int(word) for word in head["steps"]] == [10, 32]
    step = 2 * time_step
    close("lags", lags, step * np.arange(-4, 5), 1e-12)
    close("volume", float(head["volume"][0]) / atoms.get_volume(), 1.0, 1e-12)
    want = want[:12].reshape(2, 6, 2, 9).mean(axis=1)
    scale = np.abs(want).max()
    close("correlation", got / scale, want / scale, FLOAT)
    assert np.abs(want[:, 0, 4] - want[:, 0, 0]).max() > 1e-3 * np.abs(want[:, 0]).max()
    array = np.loadtxt(tmp_path / "array.txt")
    close("blocks", array[0], 2, 0.0)
    close("lag", array[1], -4 * step, 1e-12)
    close("array", array[2] / scale, got[:, 0, 4].mean() / scale, 1e-12)


def test_lag_zero_is_the_heat_current(tmp_path: Path, model_files) -> None:
    """K(0) is the mean of J, both parts, over the same steps: of compute e3d/heat and of fix e3d/hnemd, to
    the last digits; and so what the spectrum sums to is the conductivity of HNEMD.
    """
    write_data(tmp_path / "data.lmp", box(), ELEMENTS, velocities=True)
    tail = """compute heat all e3d/heat
fix drive all e3d/hnemd 0.03 0 0
fix out all e3d/shc 1 4 5 1 0 0 file shc.txt
fix md all nve
timestep 0.0002
thermo 1
variable convective equal c_heat[4]
fix print all print 1 '$(c_heat[1]:%.17g) $(v_convective:%.17g) $(f_drive[4]:%.17g) $(temp:%.17g)' &
file flux.txt screen no title ''
run 13
"""
    script = script_of(model_files("allegro-cutoffs", "safetensors"), ELEMENTS, tail=tail, edges=False)
    run_lammps(script, tmp_path, 2)
    flux = np.loadtxt(tmp_path / "flux.txt")[-10:]
    head, _, got = read_shc(tmp_path / "shc.txt")
    assert len(got) == 2
    potential, convective = got[:, :, 3].mean(axis=0)
    scale = np.abs(flux[:, 0]).max()
    close("convective", convective / scale, flux[:, 1].mean() / scale, SUM_RULE)
    close("potential", potential / scale, (flux[:, 0] - flux[:, 1]).mean() / scale, SUM_RULE)
    close("hnemd", (potential + convective) / scale, flux[:, 2].mean() / scale, SUM_RULE)
    close("temperature", float(head["temperature"][0]) / flux[:, 3].mean(), 1.0, 1e-8)


def test_finished_blocks_survive_a_restart(tmp_path: Path, model_files) -> None:
    """Blocks of the first run are in the file of the second one, digit for digit; not for other settings."""
    write_data(tmp_path / "data.lmp", noble_gases(), LENNARD_JONES.elements, velocities=True)
    model = model_files("lj")
    common = "timestep 0.002\nfix md all nve\nthermo 10\n"
    drive = "fix drive all e3d/hnemd 0.001 0 0\n"
    fix = drive + "fix out all e3d/shc 1 3 5 1 0 0 file shc.txt\n"
    tail = fix + common + "run 9\nwrite_restart state\n"
    script = script_of(model, LENNARD_JONES.elements, tail=tail, edges=False)
    run_lammps(script, tmp_path, 2)
    _, _, first = read_shc(tmp_path / "shc.txt")
    assert len(first) == 1
    again = script.replace("read_data data.lmp", "read_restart state").split("write_restart")[0]
    run_lammps(again + "run 0", tmp_path, 3)
    head, _, second = read_shc(tmp_path / "shc.txt")
    assert len(second) == 2 and int(head["steps"][0]) == 3
    assert [float(word) for word in head["force"]] == [0.001, 0.0, 0.0]
    close("first block", second[0], first[0], 0.0)
    other = run_lammps(again.replace("e3d/shc 1 3 5", "e3d/shc 1 4 5"), tmp_path)
    assert "begins with no blocks" in other.output and "it is of other settings" in other.output
    assert len(read_shc(tmp_path / "shc.txt")[2]) == 1
    slower = start_lammps(again.replace("timestep 0.002", "timestep 0.004"), tmp_path)
    assert slower.code != 0 and "its samples are 0.002 apart" in slower.output
    assert "type 'timestep 0.002'" in slower.output
    harder = start_lammps(again.replace("e3d/hnemd 0.001", "e3d/hnemd 0.002"), tmp_path)
    assert harder.code != 0 and "are of the driving force 0.001 0 0, and" in harder.output
    assert "is 0.002 0 0 now: use a new fix ID and file" in harder.output
    part = again.replace(fix, drive + "group some type 1\n" + fix.replace(drive, "").replace("all", "some"))
    assert "it is of other settings" in run_lammps(part, tmp_path).output


def test_missing_samples_begin_a_new_block(tmp_path: Path, model_files) -> None:
    """A block has only samples at equal distances: after a gap the ring is filled anew, and that is said. No
    block is finished, so another time step is welcome.
    """
    write_data(tmp_path / "data.lmp", noble_gases(), LENNARD_JONES.elements, velocities=True)
    tail = """fix out all e3d/shc 1 3 4 1 0 0 file shc.txt
timestep 0.002
fix md all nve
thermo 10
run 5
minimize 0.0 0.0 2 2
timestep 0.001
run 7
"""
    script = script_of(model_files("lj"), LENNARD_JONES.elements, tail=tail, edges=False)
    run = run_lammps(script, tmp_path, 2)
    assert run.output.count("it begins a new block") == 1
    head, lags, blocks = read_shc(tmp_path / "shc.txt")
    close("lags", lags, 0.001 * np.arange(-2, 3), 1e-12)
    # 5 steps leave 3 samples of the first block; of steps 8 to 14 two more fill the ring, then 4 and 1
    assert len(blocks) == 1 and [int(word) for word in head["steps"]] == [10, 13]


@pytest.mark.parametrize(
    "change",
    [
        "group gone id 40\ndelete_atoms group gone compress no\ncreate_atoms 1 single 1.3 1.1 0.9",
        "group gone id 40\ndelete_atoms group gone compress no",
    ],
    ids=["other", "fewer"],
)
@pytest.mark.parametrize("ranks", [1, 2])
def test_atoms_that_come_or_go(change: str, ranks: int, tmp_path: Path, model_files) -> None:
    """A new atom has no history, neither its own nor that of the atom whose place in the arrays it takes: the
    block that follows is that of a fix which begins with the new atoms.
    """
    write_data(tmp_path / "data.lmp", noble_gases(), LENNARD_JONES.elements, velocities=True)
    tail = f"""fix out all e3d/shc 1 3 4 1 0 0 file shc.txt
timestep 0.002
fix md all nve
run 4 post no
{change}
fix new all e3d/shc 1 3 4 1 0 0 file new.txt
run 7
"""
    script = script_of(model_files("lj"), LENNARD_JONES.elements, tail=tail, edges=False)
    run = run_lammps(script, tmp_path, ranks)
    assert run.output.count("atoms have come or gone between its samples of steps 4 and 5") == 1
    assert run.output.count("it begins a new block") == 1
    head, _, blocks = read_shc(tmp_path / "shc.txt")
    fresh_head, _, fresh = read_shc(tmp_path / "new.txt")
    assert head["steps"] == fresh_head["steps"] == ["7", "10"]
    assert len(blocks) == len(fresh) == 1
    np.testing.assert_array_equal(blocks, fresh)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("1 3 5 1 0 0", "takes 'Nevery Nlags Nfreq nx ny nz file F'"),
        ("1 3 5 1 0 0 folder shc.txt", "takes 'Nevery Nlags Nfreq nx ny nz file F'"),
        ("1 1 5 1 0 0 file shc.txt", "Nlags at least 2"),
        ("2 3 5 1 0 0 file shc.txt", "must be a multiple of Nevery"),
        ("1 3 5 0 0 0 file shc.txt", "the direction is 0 0 0"),
        ("1 3 5 1 0 0 file nowhere/shc.txt", "cannot write the file nowhere/shc.txt"),
    ],
)
def test_errors(words: str, message: str, tmp_path: Path) -> None:
    """Words that the fix cannot work with, before there is a model."""
    script = f"""units metal
region box block 0 9 0 9 0 9
create_box 1 box
fix out all e3d/shc {words}
"""
    run = start_lammps(script, tmp_path)
    assert run.code != 0
    assert message in run.output, run.output[-2000:]
