# Load the configuration and the plans; define the functions with which rules look up their jobs.

import contextlib
import gc
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from hypertransfer.execution import surroundings
from hypertransfer.planning import load as planning
from hypertransfer.storage import ledger
from hypertransfer.storage.run_store import Store, StoreError
from hypertransfer.studies.document import ConfigError
from hypertransfer.studies.main_config import MAIN, Origins, checked

surroundings.settle()

# Plans are some million objects that stay until the end: the garbage collector would visit them
# again and again and find nothing.
gc.disable()
try:
    _settings = workflow.config_settings
    _origins = Origins.of(
        list(map(Path, [MAIN, *workflow.configfiles, *_settings.configfiles])),
        _settings.config,
    )
    config.update(checked(config, _origins))
    PLANS = {plan.name: plan for plan in planning.load(config, origins=_origins)}
    INDEX = planning.IndexPlan(list(PLANS.values()))
    JOBS = {
        (job.study, job.digest): job
        for plan in [*PLANS.values(), INDEX]
        for job in plan.jobs
    }
    Store(config["store"]).check()
except (ConfigError, StoreError) as error:
    raise WorkflowError(str(error)) from None
finally:
    gc.freeze()
    gc.enable()

# Only one workflow at a time may write results in a folder. Jobs on other nodes also parse this
# file, so only the main process takes the lock. A dry run does not need the lock.
HELD = None
if workflow.is_main_process:
    for _warning in [
        *planning.unregistered(PLANS.values()),
        *planning.overspent(PLANS.values()),
    ]:
        print(_warning, file=sys.stderr)
    if absent := planning.missing_data(PLANS.values()):
        raise WorkflowError("\n".join(absent))
    with contextlib.suppress(OSError):
        HELD = ledger.acquire_lock()
if HELD:
    _made = [file for plan in [*PLANS.values(), INDEX] for file in plan.made]
    for _file in ledger.remove(ledger.changed(_made)):
        print(f"{_file} was changed, and is made again", file=sys.stderr)
    for _plan in [*PLANS.values(), INDEX]:
        _plan.publication.retract_if_false()


onstart:
    global HELD
    try:
        # Another process may have held the lock only while it planned.
        HELD = HELD or ledger.wait_for_lock(10)
    except ledger.FolderLockError as error:
        raise WorkflowError(str(error)) from None
    # With a limit on the jobs that start in a second, Snakemake's scheduler looks at all ready jobs
    # once a second for every job that has finished, so that it takes the time of a core after some
    # hundred jobs. The default limit, which delays nothing, is left out; one that was set is kept.
    limit = workflow.scheduler.job_rate_limiter
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


wildcard_constraints:
    study="[a-z][a-z0-9_]*",
    digest="[0-9a-f]{12}",
    grid="[a-z][a-z0-9_-]*",
    probe="[^/]+",
    search="[a-z][a-z0-9_-]*",
    figure="[a-z][a-z0-9-]*",
    suite="[a-z][a-z0-9_-]*",
    replay="[a-z][a-z0-9_-]*",


def planned(wildcards):
    """The planned job that makes the file with these wildcards."""
    return JOBS[wildcards.get("study", ""), wildcards.digest]


def megabytes(wildcards, attempt):
    """Memory of a job in MB: 1.5 times the estimate, multiplied by the number of the attempt."""
    return int(1.5 * planned(wildcards).bytes / 1e6 * attempt)


def minutes(wildcards, attempt):
    """Wall time of a job in minutes: 10 + 4 times the estimate, multiplied by the attempt.

    The limit of a probe job has room to train its runs again, because the job learns only when it
    starts whether the store has their weights.
    """
    return int(10 + 4 * planned(wildcards).most_seconds / 60) * attempt


def probe_priority(wildcards):
    """The priority of a probe job; above all others if large weights are removed after the job."""
    job = planned(wildcards)
    return (3 * 10**6 if job.weights.passing else 0) + job.seconds


def gpus():
    """GPUs that a job requests to train or probe; `auto` uses a GPU if there is one, unrequested."""
    return int(config["device"].startswith("cuda"))


def whole_machine():
    """Threads of a job beside which no other job of a local run may run: all cores.

    On a cluster, where the cores of a node are not known, SLURM's option --exclusive does this.
    """
    return workflow.cores if workflow.local_exec else 1
