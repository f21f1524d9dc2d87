"""The context in which every script of a rule runs: logging, and checks of plan and inputs."""

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
    """Put paths at the front of PYTHONPATH for the child processes of this process."""
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([*paths, *filter(None, known)]))


class DamagedInput(RuntimeError):
    """An input of a job differs from the file that an earlier job wrote."""


@contextmanager
def running(script: str, snakemake: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the parts of a planned job; messages in the `with` block go to the job's log.

    The digest of the job is computed again from the code on the disk: outputs are named by the
    digest, and files may have been edited after planning. Messages are appended to the log of
    earlier attempts. After the block, the outputs are added to the ledger.

    Raises:
        StalePlan: the digest has changed since planning.
        DamagedInput: an input was changed after an earlier job wrote it.
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
        raise DamagedInput(f"damaged inputs were removed and will be made again: {names}: {AGAIN}")
