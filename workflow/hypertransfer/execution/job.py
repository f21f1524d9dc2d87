"""The frame of every script: logs messages, and checks the plan and the inputs of its job."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hypertransfer.execution.errors import AGAIN, StalePlan
from hypertransfer.planning.job_digest import digest_on_disk
from hypertransfer.storage import ledger

log = logging.getLogger("hypertransfer")


def pass_on_path(paths: Sequence[str]) -> None:
    """Put paths at the front of PYTHONPATH, for the processes that this process starts."""
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([*paths, *filter(None, known)]))


class DamagedInput(RuntimeError):
    """An input of a job has another content than the job that made the input wrote."""


@contextmanager
def running(script: str, snakemake: Any) -> Iterator[Mapping[str, Any]]:
    """The parts of a planned job; messages of the block go to the job's log.

    The digest of the job is computed again from the code on the disk, because files may have
    been edited after planning, and outputs are named by the digest. The log of an earlier attempt
    is kept, and new messages are appended. After the block, the outputs are added to the ledger.

    Raises:
        StalePlan: the digest has changed since planning.
        DamagedInput: an input was changed after it was made.
    """
    logging.basicConfig(
        filename=snakemake.log[0] if snakemake.log else None,
        filemode="a",
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        force=True,
    )
    log.info("%s on %s, process %d", script, socket.gethostname(), os.getpid())
    parts: Mapping[str, Any] = json.loads(snakemake.params.made_from)
    try:
        if digest_on_disk(script, parts) != snakemake.wildcards.digest:
            raise StalePlan(f"the code of {script} changed after this job was planned: {AGAIN}")
        _refuse_damage(snakemake.input)
        yield parts
        ledger.add(snakemake.output)
    except Exception as error:
        log.exception("failed")
        print(f"{script}: {error}", file=sys.stderr)
        raise


def _refuse_damage(paths: Sequence[str]) -> None:
    """Remove damaged inputs, so that the next call of Snakemake makes them again.

    Raises:
        DamagedInput: an input was damaged.
    """
    if paths and (damaged := ledger.remove(ledger.damaged(paths))):
        names = ", ".join(damaged)
        raise DamagedInput(f"damaged inputs were removed, to be made again: {names}: {AGAIN}")
