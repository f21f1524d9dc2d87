"""Learn search spaces from tasks of a suite, and search in them on a part of the target tasks."""

from hypertransfer.execution import job
from hypertransfer.spaces.replay import Replay, run
from hypertransfer.spaces.tasks import sources
from hypertransfer.storage import parquet

with job.running("replay", snakemake) as parts:
    domain, tasks = sources.load(parts["suite"], parts["files"])
    values = parts["values"]
    replay = Replay(parts["replay"], values["suite"], values, domain, tasks)
    regrets, regions = run(replay, parts["part"], parts["parts"])
    parquet.write(regrets, snakemake.output.regrets)
    parquet.write(regions, snakemake.output.regions)
