"""Evaluate tasks of a live suite at all configurations of its design, and write the losses."""

from hypertransfer.execution import job
from hypertransfer.spaces.tasks import evaluate
from hypertransfer.storage import parquet

with job.running("evaluate_tasks", snakemake) as parts:
    parquet.write(evaluate.tasks(parts["suite"], parts["tasks"]), snakemake.output[0])
