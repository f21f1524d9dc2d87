"""Write a study's tables of replays and regions from its jobs' tables, and the table of winners."""

from pathlib import Path

from hypertransfer.execution import job
from hypertransfer.spaces import replay, winners
from hypertransfer.storage import parquet

with job.running("collect_spaces", snakemake) as parts:
    paths = {Path(path).stem: path for path in snakemake.output}
    for name, schema in (("replays", replay.REPLAYS), ("regions", replay.REGIONS)):
        tables = map(parquet.read, getattr(snakemake.input, name))
        parquet.write_stream(tables, schema, paths[name])
    parquet.write(winners.winners(parts["suites"], parts["files"]), paths["winners"])
