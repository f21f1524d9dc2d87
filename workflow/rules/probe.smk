# Probe: one job for each training job and probe, on weights that the training put into the store.


rule probe_cell:
    input:
        cell=lambda wildcards: planned(wildcards).input["cell"],
    output:
        "results/{study}/made/probes/{cell}/{digest}.parquet",
    log:
        "logs/{study}/probes/{cell}/{digest}.log",
    priority: probe_priority
    conda:
        "../../envs/hypertransfer.yaml"
    threads: 1
    resources:
        mem_mb=megabytes,
        runtime=minutes,
        gpu=gpus(),
    params:
        made_from=lambda wildcards: planned(wildcards).made_from,
        keep=lambda wildcards: planned(wildcards).kept_steps,
        passing=lambda wildcards: planned(wildcards).passing_steps,
        store=config["store"],
        device=config["device"],
    message:
        "probing {wildcards.study} {wildcards.cell}"
    script:
        "../scripts/probe_cell.py"


# A timed probe compares times of runs. One job measures all runs of a grid, in turns. It takes all
# cores of a local run, or a whole node of a cluster, so that no other job runs beside it: two jobs
# on one machine share its memory bandwidth and its caches. The measurement itself uses one thread.
rule probe_timed:
    input:
        cells=lambda wildcards: planned(wildcards).input["cells"],
    output:
        "results/{study}/made/timed/{grid}/{probe}/{digest}.parquet",
    log:
        "logs/{study}/timed/{grid}/{probe}/{digest}.log",
    priority: lambda wildcards: planned(wildcards).seconds
    conda:
        "../../envs/hypertransfer.yaml"
    threads: lambda wildcards: whole_machine()
    resources:
        mem_mb=megabytes,
        runtime=minutes,
        gpu=gpus(),
        slurm_extra="--exclusive",
    params:
        made_from=lambda wildcards: planned(wildcards).made_from,
        keep=lambda wildcards: planned(wildcards).kept_steps,
        passing=lambda wildcards: planned(wildcards).passing_steps,
        store=config["store"],
        device=config["device"],
    message:
        "timing {wildcards.probe} of {wildcards.study} {wildcards.grid}, alone on the machine"
    script:
        "../scripts/probe_timed.py"
