"""Test the claims on all tables so far, and decide which runs get more seeds."""

import json
from pathlib import Path

from hypertransfer.claims.looks import allocate
from hypertransfer.execution import job
from hypertransfer.storage import collect
from hypertransfer.storage.atomic import replace_atomically

with job.running("allocate_look", snakemake) as parts:
    tables = collect.joined(snakemake.input.cells, snakemake.input.probes)
    text = json.dumps(allocate(parts, tables), indent=1)
    replace_atomically(Path(snakemake.output[0]), text.encode())
