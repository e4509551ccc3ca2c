"""A Slurm of our own on this host: one controller and two nodes of one core, for as long as a test needs it.

Needs root and Debian's slurmctld, slurmd, slurm-client and munge. Everything it writes is in one folder; its
ports are free ones, its key is its own, and nothing of a Slurm that may run here is touched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "scancel", "srun", "sinfo", "munged")
NODES = ("n1", "n2")
TIMEOUT = 60.0


def why_not() -> str:
    """Why Slurm cannot be started here, in words; empty: it can."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"no {missing[0]} here. Type: sudo apt-get install slurmctld slurmd slurm-client munge"
    return "" if os.geteuid() == 0 else "a Slurm of one's own is started as root, and this is not root"


def free_ports(n: int) -> list[int]:
    """Ports of the loopback interface that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class Slurm:
    """The daemons, and the environment in which sbatch and its like find them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.conf = folder / "slurm.conf"  # absolute: the daemons change their folder
        self.environment = {"SLURM_CONF": str(self.conf)}
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start all daemons and wait until both nodes are idle."""
        for name in ("state", "spool", "log", "munge"):
            (self.folder / name).mkdir(parents=True)
        key = self.folder / "munge" / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        self.folder.chmod(0o755)
        files = {"key-file": key}
        files |= {f"{name}-file": self.folder / "munge" / name for name in ("pid", "log", "seed")}
        words = [f"--{name}={path}" for name, path in files.items()]
        self._daemon("munged", "--foreground", "--force", f"--socket={self.folder}/munge/socket", *words)
        self.conf.write_text(self._settings())
        self._wait(lambda: (self.folder / "munge" / "socket").exists(), "munged")
        self.start_controller()
        for node in NODES:
            self._daemon("slurmd", "-D", "-f", str(self.conf), "-N", node, name=node)
        self._wait(lambda: self.call("sinfo", "-h", "-o", "%t %D").split() == ["idle", "2"], "two idle nodes")

    def start_controller(self) -> None:
        """Start slurmctld, as after a power cut of its machine."""
        self._daemon("slurmctld", "-D", "-f", str(self.conf))

    def kill_controller(self) -> None:
        """End slurmctld without a word."""
        daemon = self._daemons.pop("slurmctld")
        daemon.kill()
        daemon.wait()

    def stop(self) -> None:
        """End all jobs and daemons."""
        with contextlib.suppress(subprocess.SubprocessError, OSError):
            self.call(
                "scancel", "--state=RUNNING", "--state=PENDING", f"--user={os.environ.get('USER', 'root')}"
            )
            self._wait(lambda: not self.call("squeue", "-h"), "the end of all jobs")
        for daemon in reversed(self._daemons.values()):
            daemon.terminate()
        for daemon in self._daemons.values():
            try:
                daemon.wait(15)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def call(self, *words: str) -> str:
        """Output of a Slurm command."""
        environment = {**os.environ, **self.environment}
        done = subprocess.run(
            words, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
        return done.stdout.strip()

    def logs(self) -> str:
        """The last lines of all daemons, for a failure's message."""
        paths = sorted((self.folder / "log").iterdir())
        return "\n".join(f"--- {path.name}\n" + path.read_text(errors="replace")[-2000:] for path in paths)

    def _daemon(self, program: str, *words: str, name: str = "") -> None:
        name = name or program
        with open(self.folder / "log" / f"{name}.log", "ab") as log:
            self._daemons[name] = subprocess.Popen(
                [program, *words],
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def _wait(self, what: object, name: str) -> None:
        end = time.monotonic() + TIMEOUT
        while not what():  # type: ignore[operator]
            dead = [one for one, daemon in self._daemons.items() if daemon.poll() is not None]
            assert not dead, f"{dead[0]} has ended\n{self.logs()}"
            assert time.monotonic() < end, f"waited {TIMEOUT} s for {name}\n{self.logs()}"
            time.sleep(0.2)

    def _settings(self) -> str:
        host = socket.gethostname()
        controller, *ports = free_ports(1 + len(NODES))
        lines = [
            "ClusterName=e3d",
            f"SlurmctldHost={host}(127.0.0.1)",
            f"SlurmctldPort={controller}",
            "SlurmUser=root",
            "SlurmdUser=root",
            "AuthType=auth/munge",
            f"AuthInfo=socket={self.folder}/munge/socket",
            f"StateSaveLocation={self.folder}/state",
            f"SlurmdSpoolDir={self.folder}/spool/%n",
            f"SlurmctldPidFile={self.folder}/slurmctld.pid",
            f"SlurmdPidFile={self.folder}/slurmd.%n.pid",
            "ProctrackType=proctrack/linuxproc",
            "TaskPlugin=task/none",
            "SelectType=select/cons_tres",
            "SelectTypeParameters=CR_CPU",
            "SwitchType=switch/none",
            "MpiDefault=none",
            "ReturnToService=2",
            "SlurmctldTimeout=30",
            "SlurmdTimeout=60",
            "MessageTimeout=30",
            "SchedulerParameters=sched_interval=2,batch_sched_delay=0",
            "KillWait=5",
        ]
        for node, port in zip(NODES, ports, strict=True):
            lines.append(f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=1")
        lines.append(f"PartitionName=main Nodes={','.join(NODES)} Default=YES MaxTime=INFINITE State=UP")
        return "\n".join(lines) + "\n"


@contextlib.contextmanager
def running_slurm(folder: Path) -> Iterator[Slurm]:
    """A Slurm in `folder`, ended with the block."""
    slurm = Slurm(folder)
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()
