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
