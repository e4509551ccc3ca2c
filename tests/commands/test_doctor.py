"""``e3d doctor``: finds what works, and says what to type for what does not."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from e3d_lmp import plugin
from e3d_lmp.commands import doctor
from e3d_lmp.commands.doctor import BROKEN, NOTE, OK, Finding

ModelFiles = Callable[..., Path]


def _broken(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.status == BROKEN]


@pytest.fixture
def installed() -> None:
    if not (Path(plugin.path()) / "e3dplugin.so").is_file():
        pytest.skip("runs on the installed package only: bash scripts/test.sh")


def test_a_sound_installation_is_well(
    installed: None, model_files: ModelFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    code = doctor.run(argparse.Namespace(models=[model_files("lj")], lammps=None))
    output = capsys.readouterr().out
    assert code == 0, output
    assert output.rstrip().endswith("all is well")
    said = ("torch", "engine", "lmp", "MPI", "lammps module", "plugin loaded", "starts two ranks")
    for text in said:
        assert text in output
    assert "lj-float64.nequip.pth" in output


def test_missing_libraries_are_named(tmp_path: Path) -> None:
    (tmp_path / "e3dplugin.so").write_text("")
    (finding,) = doctor.check_plugin_files(tmp_path)
    assert finding.status == BROKEN
    assert "libe3d_engine.so" in finding.detail and "e3dplugin.so" not in finding.detail
    assert "pip install" in finding.advice


def test_plugin_of_another_torch_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*doctor.LIBRARIES, doctor.TORCH_LIBRARY):
        (tmp_path / name).write_text("")
    (tmp_path / "build_info.txt").write_text("e3d_lmp 0.1.0\ntorch_version 1.0.0\n")
    findings = list(doctor.check_plugin_files(tmp_path))
    (finding,) = _broken(findings)
    assert "built against torch 1.0.0" in finding.detail
    assert finding.advice == doctor.REBUILD


def test_built_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Works, and the notes say what does not, and what to type for it."""
    for name in doctor.LIBRARIES:
        (tmp_path / name).write_text("")
    monkeypatch.setattr(doctor, "_version", lambda name: None if name in doctor.OF_TRAIN else "1.0")
    findings = [*doctor.check_versions(), *doctor.check_plugin_files(tmp_path)]
    assert not _broken(findings)
    assert not list(doctor.check_torch(tmp_path, {}))
    notes = [finding for finding in findings if finding.status == NOTE]
    assert [note.subject for note in notes] == ["torch", "nequip", "nequip-allegro", "plugin"]
    for note in notes:
        assert 'pip install "e3d-lmp[train]"' in note.advice


def test_library_that_does_not_load(tmp_path: Path) -> None:
    (tmp_path / "libe3d_model.so").write_text("not a library\n")
    facts: dict[str, str] = {}
    (finding,) = doctor.check_torch(tmp_path, facts)
    assert finding.status == BROKEN
    assert "libe3d_model.so does not load" in finding.detail
    assert not facts


def test_mpirun_of_another_mpi_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An mpirun whose ranks do not know of each other starts the same run twice."""
    lmp = tmp_path / "lmp"
    lmp.write_text("#!/bin/sh\necho '  1 by 1 by 1 MPI processor grid'\n")
    mpirun = tmp_path / "mpirun"
    mpirun.write_text('#!/bin/sh\nshift 2\n"$@"; "$@"\n')
    for program in (lmp, mpirun):
        program.chmod(0o755)
    monkeypatch.setattr(doctor, "find_program", lambda name: str(tmp_path / name))
    findings = list(doctor.check_lmp(tmp_path))
    assert [finding.status for finding in findings] == [BROKEN, BROKEN]
    without, separate = findings
    assert "without the plugin" in without.detail
    assert f"LAMMPS_PLUGIN_PATH={tmp_path}" in without.advice
    assert "2 separate runs" in separate.detail


def test_no_lmp(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "find_program", lambda name: None)
    (finding,) = doctor.check_lmp(tmp_path)
    assert (finding.status, finding.detail) == (BROKEN, "not found")


def test_the_program_asked_about_is_the_file_that_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one of the same name on PATH; what is no program is called by what it is."""
    monkeypatch.chdir(tmp_path)
    Path("lmp").write_text("#!/bin/sh\necho no LAMMPS at all\n")
    Path("lmp").chmod(0o755)
    Path("folder").mkdir()
    for name, words in (
        ("lmp", "no LAMMPS at all"),
        ("folder", "folder: a folder"),
        ("nothere", "nothere: no such file"),
    ):
        (finding,) = doctor.check_program(Path(name), [])
        assert finding.status == BROKEN and words in finding.detail


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert next(iter(doctor.check_threads())).status == OK
    monkeypatch.setenv("OMP_NUM_THREADS", "100000")
    finding = next(iter(doctor.check_threads()))
    assert (finding.status, finding.advice) == (NOTE, "unset OMP_NUM_THREADS")


def test_models_that_do_not_fit(
    model_files: ModelFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truncated = tmp_path / "cut.nequip.pth"
    truncated.write_bytes(model_files("lj").read_bytes()[:1000])
    missing = tmp_path / "absent.nequip.pt2"
    findings = list(doctor.check_models([truncated, missing], {}))
    assert [finding.status for finding in findings] == [BROKEN, BROKEN]
    assert "not a complete model file" in findings[0].detail
    assert "no model file" in findings[1].detail

    compiled = model_files("lj", "pt2")
    assert [finding.status for finding in doctor.check_models([compiled], {})] == [OK]
    (finding,) = doctor.check_models([compiled], {"isa": "a processor of another kind"})
    assert finding.status == BROKEN and "this processor has" in finding.detail
    monkeypatch.setattr(doctor, "_version", lambda name: "1.0.0")
    (finding,) = doctor.check_models([compiled], {})
    assert finding.status == BROKEN and "not 1.0.0" in finding.detail


def test_exit_code_counts_the_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    findings = [Finding(OK, "a", "b"), Finding(BROKEN, "c", "d", "type this")]
    monkeypatch.setattr(doctor, "examine", lambda models: iter(findings))
    assert doctor.run(argparse.Namespace(models=[], lammps=None)) == 1
    output = capsys.readouterr().out
    assert "-> type this" in output and "1 broken" in output


def test_ovito_is_optional_and_its_driver_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"ovito": "3.17.2"}
    monkeypatch.setattr(doctor, "_version", versions.get)
    for answer, status, words in (
        ((0, "True\n"), OK, ""),
        ((0, "False\n"), NOTE, "mesa-vulkan-drivers"),
        ((1, "ImportError: libEGL.so.1: cannot open shared object file\n"), NOTE, "libegl1"),
    ):
        monkeypatch.setattr(doctor, "_run", lambda command, answer=answer: answer)
        (finding,) = doctor.check_ovito()
        assert finding.status == status and words in finding.advice
    versions.clear()
    (finding,) = doctor.check_ovito()
    assert finding.status == NOTE and finding.advice == "pip install ovito"
