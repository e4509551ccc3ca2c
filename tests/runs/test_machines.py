"""Machines as data: what is shipped has a page for every number; what a user writes wrongly is said by file,
machine and key.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from e3d_lmp.errors import E3DError
from e3d_lmp.runs.machines import find_machine, load_machines

NUMBERS = ("cores", "reserved_cores", "gpus", "tiles", "visible_gpus", "hardware_threads")
SHIPPED = ("aurora", "polaris", "frontier", "perlmutter", "lumi", "slurm", "pbs", "mpirun")


def test_every_number_has_a_page() -> None:
    machines = load_machines()
    assert set(SHIPPED) <= set(machines)
    plain = machines["mpirun"]
    for name in SHIPPED:
        machine = machines[name]
        assert machine.launch_cpu and machine.launch_gpu and machine.checked and "launch" in machine.pages
        used = [
            key
            for key in (*NUMBERS, "queues", "binding", "environment")
            if getattr(machine, key) != getattr(plain, key)
        ]
        assert not set(used) - set(machine.pages), f"{name}: no page for {set(used) - set(machine.pages)}"
        assert all(page.startswith("https://") for page in machine.pages.values())


def test_a_binding_names_each_core_once() -> None:
    aurora, lumi = find_machine("aurora"), find_machine("lumi")
    assert aurora.binding is not None and lumi.binding is not None
    cores: list[int] = []
    for text in aurora.binding.ranks:
        first, last = map(int, text.split("-"))
        assert last - first + 1 == aurora.binding.cores
        cores += range(first, last + 1)
    assert len(set(cores)) == len(cores) == aurora.devices * aurora.binding.cores
    assert not {0, 52} & set(cores), "kept for the system"
    assert all(core < 52 for core in cores[:48]) and all(52 < core < 104 for core in cores[48:]), (
        "one socket, half of the ranks"
    )
    masks = [int(text, 16) for text in lumi.binding.ranks]
    assert [mask.bit_count() for mask in masks] == [lumi.binding.cores] * lumi.devices
    assert sum(masks).bit_count() == lumi.binding.cores * lumi.devices, "no core twice"


def test_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(
        E3DError, match=r"no machine 'Arora'; did you mean 'aurora'\? there are aurora, polaris"
    ):
        find_machine("Arora")


MINE = """\
lab:
  like: slurm
  title: ours
  cores: 48
  gpus: 2
  queue_option: --qos
"""


def test_a_users_own_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "e3d"
    folder.mkdir()
    (folder / "machines.yaml").write_text(MINE + "aurora:\n  like: aurora\n  reserved_cores: 4\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    lab = find_machine("lab")
    assert (lab.scheduler, lab.usable_cores, lab.gpus, lab.queue_option) == ("slurm", 48, 2, "--qos")
    assert lab.launch_cpu == find_machine("slurm").launch_cpu
    assert find_machine("aurora").usable_cores == 100 and find_machine("frontier").usable_cores == 56
    assert lab.file == str(folder / "machines.yaml")


WRONG = [
    ("cores: 48", "cores: many", "key 'cores': expected a whole number from 1, got 'many'"),
    ("cores: 48", "cores: 0", "key 'cores'"),
    ("gpus: 2", "gpu: 2", "no key 'gpu' is known; did you mean 'gpus'"),
    ("like: slurm", "like: slrum", "key 'like': expected one of aurora"),
    ("like: slurm", "scheduler: lsf", "key 'scheduler': expected one of pbs, slurm, none"),
    ("like: slurm", "scheduler: slurm", "no key 'launch_cpu'"),
    ("cores: 48", "cores: 48\n  reserved_cores: 48", "key 'reserved_cores': expected fewer than 'cores'"),
    (
        "title: ours",
        "launch_cpu: run {rank}",
        "key 'launch_cpu': {rank} is not known; there are nodes, ranks",
    ),
    ("title: ours", "launch_gpu: run {binding}", "{binding} needs the key 'binding'"),
    ("title: ours", "launch_cpu: run {ranks", "key 'launch_cpu': expected '}'"),
    ("title: ours", "needs: [money]", "key 'needs': expected some of account, queue"),
    ("title: ours", "queues: {short: [{nodes: 4, hours: 1}]}", "key 'queues': expected by name"),
    ("title: ours", "binding: {prefix: a, ranks: [1]}", "key 'binding': expected prefix"),
    (
        "gpus: 2",
        "gpus: 3\n  binding: {prefix: a, separator: b, cores: 1, ranks: [1, 2]}",
        "cores for 3 ranks",
    ),
    ("lab:\n", "lab\n", "not YAML|expected names of machines"),
]


@pytest.mark.parametrize(
    "old, new, message", WRONG, ids=[new.splitlines()[-1].strip() for _, new, _ in WRONG]
)
def test_one_clear_error(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "machines.yaml"
    path.write_text(MINE.replace(old, new))
    with pytest.raises(E3DError) as caught:
        find_machine("lab", path)
    text = str(caught.value)
    assert any(part in text for part in message.split("|")) and str(path) in text
    assert "lab" in text or "YAML" in text or "names of machines" in text


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(E3DError, match=r"machines\.yaml"):
        load_machines(tmp_path / "machines.yaml")
