# Configuration, plans, and the functions that rules look things up with.

import contextlib
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from hypertransfer.execution import job
from hypertransfer.planning import load as planning
from hypertransfer.planning.study_plan import TABLES, notebook
from hypertransfer.storage import ledger
from hypertransfer.storage.run_store import Store, StoreError
from hypertransfer.studies import replays
from hypertransfer.studies.document import ConfigError
from hypertransfer.studies.schema import with_defaults
from hypertransfer.studies.study import check_main

job.pass_on_path(LIBRARY)

try:
    check_main(config, Path("config/config.yaml"))
    config.update(with_defaults("config", config))
    PLANS = {plan.name: plan for plan in planning.load(config)}
    SHARDS = {shard.file: shard for plan in PLANS.values() for shard in plan.shards}
    SEARCHES = {job.file: job for plan in PLANS.values() for job in plan.searches}
    SPACES = {job.file: job for plan in PLANS.values() for job in plan.spaces.jobs}
    Store(config["store"]).check()
except (ConfigError, StoreError) as error:
    raise WorkflowError(str(error)) from None

INDEX = planning.IndexPlan(list(PLANS.values()))

# One workflow at a time makes results in a folder. Jobs on other nodes parse this file as well, and
# whoever only looks does not need it.
HELD = None
if workflow.is_main_process:
    if absent := planning.missing_data(PLANS.values()):
        raise WorkflowError("\n".join(absent))
    with contextlib.suppress(OSError):
        HELD = ledger.acquire_lock()
if HELD:
    _made = [file for plan in [*PLANS.values(), INDEX] for file in plan.made]
    for _file in ledger.remove(ledger.changed(_made)):
        print(f"{_file} is not as it was made: it is made again", file=sys.stderr)
    for _plan in [*PLANS.values(), INDEX]:
        _plan.publication.retract_if_false()


onstart:
    global HELD
    try:
        # Another call may have held it for as long as it took to plan.
        HELD = HELD or ledger.wait_for_lock(10)
    except ledger.FolderLockError as error:
        raise WorkflowError(str(error)) from None


wildcard_constraints:
    study="[a-z][a-z0-9_]*",
    digest="[0-9a-f]{12}",
    search="[a-z][a-z0-9_-]*",
    figure="[a-z][a-z0-9-]*",
    suite="[a-z][a-z0-9_-]*",
    replay="[a-z][a-z0-9_-]*",


def shard_of(wildcards, prefix):
    """The shard behind the wildcards of a cell's file."""
    file = f"results/{wildcards.study}/made/{prefix}/{wildcards.cell}/{wildcards.digest}.parquet"
    return SHARDS[file]


def cell(wildcards):
    """The training shard that a file of the cells is for."""
    return shard_of(wildcards, "cells")


def probed(wildcards):
    """The probe shard that a file of the probes is for."""
    return shard_of(wildcards, "probes")


def search_job(wildcards, kind):
    """The planned job behind the wildcards of a search's file."""
    file = f"results/{wildcards.study}/made/{kind}/{wildcards.search}/{wildcards.digest}.parquet"
    return SEARCHES[file]


def generation(wildcards):
    """The generation that a file of the searches is for."""
    return search_job(wildcards, "searches")


def carried(wildcards):
    """The job that carries a search's results over."""
    return search_job(wildcards, "transfers")


def space_job(wildcards, kind, name):
    """The planned job behind the wildcards of an evaluation's or a replay's file."""
    return SPACES[
        f"results/{wildcards.study}/made/{kind}/{name}/{wildcards.digest}.parquet"
    ]


def evaluation(wildcards):
    """The evaluation of a task that a file of the evaluations is for."""
    return space_job(wildcards, "evaluations", wildcards.suite)


def replayed(wildcards):
    """The part of a replay that a file of the replays is for."""
    return space_job(wildcards, "replays", wildcards.replay)


def plan_of(wildcards):
    """The study's plan."""
    return PLANS[wildcards.study]


def megabytes(shard, attempt):
    """Memory of a shard's job: the estimate with room to spare, and more on each attempt."""
    return int(1.5 * shard.bytes / 1e6 * attempt)


def minutes(shard, attempt):
    """Wall time of a shard's job: a generous multiple of the estimate, more on each attempt."""
    return int(10 + 4 * shard.seconds / 60) * attempt


def gpus():
    """GPUs of a job that trains or probes; `auto` takes what it finds and asks for none."""
    return int(config["device"].startswith("cuda"))


def light_megabytes(wildcards, attempt):
    """Memory of a job that trains nothing: more on each attempt."""
    return 1000 * attempt


def light_minutes(wildcards, attempt):
    """Wall time of a job that trains nothing: more on each attempt."""
    return 10 * attempt
