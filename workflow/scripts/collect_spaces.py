"""Join the parts of all replays into the study's tables: replays, regions, winners."""

from pathlib import Path

from hypertransfer.execution import job
from hypertransfer.spaces import replay
from hypertransfer.spaces import winners as spaces_winners
from hypertransfer.storage import parquet

with job.running("collect_spaces", snakemake) as parts:
    paths = {Path(path).stem: path for path in snakemake.output}
    for name, schema in (("replays", replay.REPLAYS), ("regions", replay.REGIONS)):
        found = map(parquet.read, getattr(snakemake.input, name))
        parquet.write_stream(found, schema, paths[name])
    winners = spaces_winners.winners(parts["suites"], parts["files"])
    parquet.write(winners, paths["winners"])
