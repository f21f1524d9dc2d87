"""The context in which every script of a rule runs: logging, and checks of plan and inputs."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from hypertransfer.execution.errors import AGAIN, StalePlan
from hypertransfer.planning.job_digest import digest_on_disk
from hypertransfer.storage import ledger

log = logging.getLogger("hypertransfer")


class DamagedInput(RuntimeError):
    """An input of a job differs from the file that an earlier job wrote."""


@contextmanager
def running(script: str, snakemake: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the parts of a planned job; messages in the `with` block go to the job's log.

    The digest of the job is computed again from the code on the disk: outputs are named by the
    digest, and files may have been edited after planning. Messages are appended to the log of
    earlier attempts. After the block, the outputs are added to the ledger.

    The working folder comes last in the search path of modules, so that a module of the user does
    not hide a module of Python. Linear algebra runs on one thread, however many threads the rule
    has, because the number of threads decides how sums are rounded.

    Raises:
        SystemExit: the block raised an exception, whose traceback is in the log; or the digest has
            changed since planning; or an input was changed after an earlier job wrote it.
    """
    logging.basicConfig(
        filename=snakemake.log[0] if snakemake.log else None,
        filemode="a",
        encoding="utf-8",
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        force=True,
    )
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    log.info("%s on %s, process %d", script, socket.gethostname(), os.getpid())
    parts: Mapping[str, Any] = json.loads(snakemake.params.made_from)
    try:
        if digest_on_disk(script, parts) != snakemake.wildcards.digest:
            raise StalePlan(f"the code of {script} changed after this job was planned: {AGAIN}")
        _refuse_damage(snakemake.input)
        with threadpool_limits(1):
            yield parts
        ledger.add(snakemake.output)
    except Exception as error:
        log.exception("failed")
        print(f"{script}: {error}", file=sys.stderr)
        raise SystemExit(1) from None  # Snakemake prints the log, which has the traceback


def weights_of_runs(params: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The weights of a job's runs, by run key, from the parameters of its rule.

    The first mapping has the steps at which a run keeps its weights, the second the probes that
    read weights with entries of their own, as `runs_of_job` and `probes_of_job` take them.
    """
    return json.loads(params.keep), json.loads(params.passing)


def _refuse_damage(paths: Sequence[str]) -> None:
    """Remove damaged inputs, so that the next call of Snakemake makes them again.

    Raises:
        DamagedInput: an input was damaged.
    """
    if paths and (damaged := ledger.remove(ledger.damaged(paths))):
        names = ", ".join(damaged)
        raise DamagedInput(f"damaged inputs were removed and will be made again: {names}: {AGAIN}")
