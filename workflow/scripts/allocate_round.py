"""Decide which runs a round trains of each arm of a grid, from the tables of earlier rounds."""

import json
from pathlib import Path

from hypertransfer.execution import job
from hypertransfer.rounds.allocation import allocation
from hypertransfer.storage.atomic import replace_atomically

with job.running("allocate_round", snakemake) as parts:
    text = json.dumps(allocation(parts, list(snakemake.input)), indent=1)
    replace_atomically(Path(snakemake.output[0]), text.encode())
