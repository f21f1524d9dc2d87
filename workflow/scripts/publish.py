"""Put the stable names of a study in place."""

from hypertransfer.execution import job, publish

with job.running("publish", snakemake) as parts:
    publish.publish(parts["root"], parts["files"], snakemake.output[0])
