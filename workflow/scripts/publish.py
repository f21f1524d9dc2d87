"""Copy the files of a study, or of the index, to their stable names."""

from hypertransfer.execution import job, publish

with job.running("publish", snakemake) as parts:
    publish.publish(parts["root"], parts["files"], snakemake.output[0])
