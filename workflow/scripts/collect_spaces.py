"""Join the parts of all replays into the study's tables: replays, regions, winners."""

from pathlib import Path

from hypertransfer import records
from hypertransfer.execution import job
from hypertransfer.spaces import replay
from hypertransfer.spaces import winners as spaces_winners

with job.running("collect_spaces", snakemake) as parts:  # noqa: F821
    paths = {Path(path).stem: path for path in snakemake.output}  # noqa: F821
    for name, schema in (("replays", replay.REPLAYS), ("regions", replay.REGIONS)):
        found = map(records.read, getattr(snakemake.input, name))  # noqa: F821
        records.write_stream(found, schema, paths[name])
    winners = spaces_winners.winners(parts["suites"], parts["files"])
    records.write(winners, paths["winners"])
