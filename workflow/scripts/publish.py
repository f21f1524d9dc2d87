"""Put the stable names of a study in place."""

from hypertransfer import jobs, publish

with jobs.running("publish", snakemake) as parts:  # noqa: F821
    publish.publish(parts["root"], parts["files"], snakemake.output[0])  # noqa: F821
