# Probing: one job a shard, on the weights that training left in the store.


rule probe_cell:
    input:
        lambda wildcards: probed(wildcards).source.file,
    output:
        "results/{study}/made/probes/{cell}/{digest}.parquet",
    log:
        "logs/{study}/probes/{cell}/{digest}.log",
    priority: lambda wildcards: probed(wildcards).seconds
    conda:
        "../../envs/hypertransfer.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: megabytes(probed(wildcards), attempt),
        runtime=lambda wildcards, attempt: minutes(probed(wildcards), attempt),
        gpu=gpus(),
    params:
        made_from=lambda wildcards: probed(wildcards).job.made_from,
        store=config["store"],
        device=config["device"],
    message:
        "probing {wildcards.study} {wildcards.cell}"
    script:
        "../scripts/probe_cell.py"
