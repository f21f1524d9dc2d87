"""Learn spaces from a suite's earlier tasks and search on its targets, for a part of these."""

from hypertransfer import jobs, records
from hypertransfer.spaces import sources
from hypertransfer.spaces.replay import Replay, run

with jobs.running("replay", snakemake) as parts:  # noqa: F821
    domain, tasks = sources.load(parts["suite"], parts["files"])
    values = parts["values"]
    replay = Replay(parts["replay"], values["suite"], values, domain, tasks)
    regrets, regions = run(replay, parts["part"], parts["parts"])
    records.write(regrets, snakemake.output.regrets)  # noqa: F821
    records.write(regions, snakemake.output.regions)  # noqa: F821
