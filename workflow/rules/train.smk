# Train: one job for a cell, or for a part of a large cell. The job trains the runs that the store
# lacks, and writes the table of all its runs.


rule train_cell:
    output:
        "results/{study}/made/cells/{cell}/{digest}.parquet",
    log:
        "logs/{study}/cells/{cell}/{digest}.log",
    priority: lambda wildcards: planned(wildcards).seconds
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
        save_minutes=config["save_minutes"],
    message:
        "training {wildcards.study} {wildcards.cell}"
    script:
        "../scripts/train_cell.py"
