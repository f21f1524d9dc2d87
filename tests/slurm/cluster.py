"""A real SLURM of one node, for as long as it is needed: all its files below one folder.

Daemons run as the caller, listen on the loopback address only, and know nothing of /etc. The
node has more CPUs on paper than the machine, so that jobs overlap; memory is watched by polling.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("munge", "slurm-wlm")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel")
PATH = f"{os.environ['PATH']}{os.pathsep}/usr/sbin{os.pathsep}/sbin"

CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={munge}/socket
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1,sched_min_interval=0
PriorityType=priority/basic
AccountingStorageType=accounting_storage/none
ReturnToService=2
EnforcePartLimits=ALL
MinJobAge=600
CompleteWait=0
KillWait=5
InactiveLimit=0
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 Port={node_port} CPUs=4 RealMemory=16000
PartitionName=all Nodes=node Default=YES MaxTime=600 DefaultTime=10 DefMemPerCPU=500 State=UP
"""


class NoCluster(RuntimeError):
    """There can be no SLURM here: the message says why."""


def install() -> None:
    """Install SLURM where it is missing and the caller is root on Debian.

    Raises:
        NoCluster: it is missing, and cannot be installed.
    """
    missing = [name for name in PROGRAMS if not shutil.which(name, path=PATH)]
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        words = f"{', '.join(missing)} missing: as root, apt-get install {' '.join(PACKAGES)}"
        raise NoCluster(f"no SLURM here ({words})")
    policy = Path("/usr/sbin/policy-rc.d")  # whose code 101 keeps services from starting
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
            done = subprocess.run(
                ["apt-get", "--quiet", *words], env=env, text=True, capture_output=True, check=False
            )
            if done.returncode:
                raise NoCluster(f"apt-get {words[0]} failed: {done.stderr.strip()[-300:]}")
    finally:
        if ours:
            policy.unlink()


@dataclass(frozen=True)
class QueuedJob:
    """A job as the queue shows it; the comment has the rule and its wildcards."""

    id: str
    state: str
    comment: str


class Cluster:
    """A SLURM that runs from `start` to `stop`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "slurm.conf"
        self.munge = Path(tempfile.mkdtemp(prefix="munge-", dir="/tmp"))

    def start(self) -> None:
        """Boot the daemons and wait until the node takes jobs.

        Raises:
            NoCluster: a daemon did not come up; the message has the end of its log.
        """
        self._start_munge()
        for name in ("state", "spool", "bin"):
            (self.folder / name).mkdir(parents=True)
        port = free_ports(2)
        text = CONFIG.format(
            folder=self.folder,
            munge=self.munge,
            host=socket.gethostname().partition(".")[0],
            user=_user(),
            port=port,
            node_port=port + 1,
        )
        self.config.write_text(text.lstrip())
        self._write_srun()
        self.call("slurmctld", "-f", str(self.config))
        self._wait("slurmctld", lambda: self.ok("scontrol", "ping"))
        self.call("slurmd", "-f", str(self.config), "-N", "node")
        self._wait("the node", lambda: self.call("sinfo", "-h", "-t", "idle", "-o", "%D") != "")

    def _start_munge(self) -> None:
        self.munge.chmod(0o755)  # munged wants the folder of its socket open
        key = self.munge / "key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(1024))
        files = {
            "key-file": "key",
            "socket": "socket",
            "pid-file": "munged.pid",
            "log-file": "munged.log",
            "seed-file": "seed",
        }
        options = [f"--{option}={self.munge / file}" for option, file in files.items()]
        self.call("munged", *options)

    def _write_srun(self) -> None:
        # The plugin's jobs drop every SLURM_ variable before they call srun, SLURM_CONF as well.
        shim = self.folder / "bin" / "srun"
        real = shutil.which("srun", path=PATH)
        shim.write_text(f'#!/bin/sh\nSLURM_CONF="{self.config}" exec {real} "$@"\n')
        shim.chmod(0o755)

    def environment(self) -> dict[str, str]:
        """The caller's environment, with this cluster for every SLURM command."""
        foreign = ("SLURM_", "SBATCH_", "SRUN_", "SQUEUE_")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        path = f"{self.folder / 'bin'}{os.pathsep}{PATH}"
        return {**kept, "SLURM_CONF": str(self.config), "PATH": path}

    def call(self, *command: str) -> str:
        """What a command prints.

        Raises:
            NoCluster: it failed.
        """
        done = subprocess.run(
            command, env=self.environment(), text=True, capture_output=True, timeout=60, check=False
        )
        if done.returncode:
            raise NoCluster(f"{' '.join(command)}: {done.stderr.strip()}{self.logs()}")
        return done.stdout.strip()

    def ok(self, *command: str) -> bool:
        """Whether a command succeeds."""
        try:
            self.call(*command)
        except NoCluster:
            return False
        return True

    def jobs(self) -> list[QueuedJob]:
        """All jobs, ended ones too."""
        lines = self.call("squeue", "--states=all", "--noheader", "--format=%i|%T|%k").splitlines()
        return [QueuedJob(*line.split("|", 2)) for line in lines]

    def processes(self, job: str) -> list[int]:
        """The processes of a job on the node."""
        lines = self.call("scontrol", "listpids", job).splitlines()[1:]
        return [int(line.split()[0]) for line in lines if line.split()[0].isdigit()]

    def logs(self) -> str:
        """The ends of the daemons' logs."""
        found = [*self.folder.glob("*.log"), *self.munge.glob("*.log")]
        return "".join(f"\n--- {p.name}\n{p.read_text(errors='replace')[-1500:]}" for p in found)

    def _wait(self, what: str, there: Callable[[], bool], seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while not there():
            if time.monotonic() > until:
                raise NoCluster(f"{what} did not come up{self.logs()}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Cancel what runs and end the daemons, however far the start got."""
        if (self.folder / "slurmctld.pid").exists():
            self.ok("scancel", f"--user={_user()}")
            until = time.monotonic() + 15
            while time.monotonic() < until and self.ok("squeue") and self.call("squeue", "-h"):
                time.sleep(0.2)
        for file in (
            self.folder / "slurmd.pid",
            self.folder / "slurmctld.pid",
            self.munge / "munged.pid",
        ):
            _end(file)
        shutil.rmtree(self.munge, ignore_errors=True)


def _end(file: Path) -> None:
    """End the daemon that wrote the file, if it is that one still."""
    try:
        pid = int(file.read_text())
        if Path(f"/proc/{pid}/comm").read_text().strip() != file.stem:
            return
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + 10
        while time.monotonic() < until and _runs(pid):
            time.sleep(0.1)
        if _runs(pid):
            os.kill(pid, signal.SIGKILL)
    except (OSError, ValueError):
        return


def _runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def _user() -> str:
    return subprocess.run(["id", "-un"], text=True, capture_output=True, check=True).stdout.strip()


def free_ports(count: int) -> int:
    """The first of so many free neighbouring ports on the loopback address."""
    for _ in range(200):
        first = 20000 + secrets.randbelow(10000)
        held: list[socket.socket] = []
        try:
            for port in range(first, first + count):
                held.append(socket.socket())
                held[-1].bind(("127.0.0.1", port))
        except OSError:
            continue
        else:
            return first
        finally:
            for one in held:
                one.close()
    raise NoCluster("no free ports on the loopback address")
