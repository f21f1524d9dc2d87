# Training: one job a shard. Runs lie in the store; the job makes those that are missing.


rule train_cell:
    output:
        "results/{study}/made/cells/{cell}/{digest}.parquet",
    log:
        "logs/{study}/cells/{cell}/{digest}.log",
    priority: lambda wildcards: cell(wildcards).seconds
    conda:
        "../../envs/hypertransfer.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: megabytes(cell(wildcards), attempt),
        runtime=lambda wildcards, attempt: minutes(cell(wildcards), attempt),
        gpu=gpus(),
    params:
        made_from=lambda wildcards: cell(wildcards).job.made_from,
        store=config["store"],
        device=config["device"],
        save_minutes=config["save_minutes"],
    message:
        "training {wildcards.study} {wildcards.cell}"
    script:
        "../scripts/train_cell.py"
