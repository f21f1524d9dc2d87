"""What every script does around its work: check that it does what was planned, and log."""

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
from hypertransfer.planning.jobs import code_of, name_of
from hypertransfer.storage import ledger

log = logging.getLogger("hypertransfer")


def pass_on_path(paths: Sequence[str]) -> None:
    """Let every process that is started from here on find modules in the paths, foremost."""
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([*paths, *filter(None, known)]))


class DamagedInput(RuntimeError):
    """A file that a job reads is not what was made."""


@contextmanager
def running(script: str, snakemake: Any) -> Iterator[Mapping[str, Any]]:
    """The parts of a planned job, while its messages go to the job's log.

    Its digest is computed anew from the code on the disk: what is written under a name is
    what that name says, even where files were edited while the workflow ran. A log is added to,
    where Snakemake has left what an earlier attempt said.

    Raises:
        StalePlan: the digest is another one by now; calling snakemake again plans anew.
        DamagedInput: a file that it reads is not what was made.
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
        if name_of(code_of(script), parts) != snakemake.wildcards.digest:
            raise StalePlan(f"the code of {script} changed after this job was planned: {AGAIN}")
        _refuse_damage(snakemake.input)
        yield parts
        ledger.add(snakemake.output)
    except Exception as error:
        log.exception("failed")
        print(f"{script}: {error}", file=sys.stderr)
        raise


def _refuse_damage(paths: Sequence[str]) -> None:
    """Take damaged inputs out of the way, so that the next call makes them again.

    Raises:
        DamagedInput: there are some.
    """
    if paths and (damaged := ledger.remove(ledger.damaged(paths))):
        raise DamagedInput(f"damaged, and removed to be made again: {', '.join(damaged)}: {AGAIN}")
