# Rounds: a grid with an adaptive axis trains in rounds. An allocation reads the tables of the earlier
# rounds, and lists the runs of this round for all arms; a job for each cell trains what is listed.


localrules:
    allocate_round,


rule allocate_round:
    input:
        earlier=lambda wildcards: planned(wildcards).input["earlier"],
    output:
        "results/{study}/made/allocations/{grid}/{digest}.json",
    log:
        "logs/{study}/allocations/{grid}/{digest}.log",
    priority: 2 * 10**6
    conda:
        "../../envs/hypertransfer.yaml"
    params:
        made_from=lambda wildcards: planned(wildcards).made_from,
    message:
        "allocating a round of {wildcards.study} {wildcards.grid}"
    script:
        "../scripts/allocate_round.py"


rule train_round:
    input:
        allocation=lambda wildcards: planned(wildcards).input["allocation"],
    output:
        "results/{study}/made/rounds/{cell}/{digest}.parquet",
    log:
        "logs/{study}/rounds/{cell}/{digest}.log",
    # A round waits for the whole round before. Rounds have priority over cells, so that the last
    # rounds do not run alone at the end.
    priority: lambda wildcards: 10**6 + planned(wildcards).seconds
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
        store=config["store"],
        device=config["device"],
        save_minutes=config["save_minutes"],
    message:
        "training a round of {wildcards.study} {wildcards.cell}"
    script:
        "../scripts/train_round.py"


rule probe_round:
    input:
        cells=lambda wildcards: planned(wildcards).input["cells"],
    output:
        "results/{study}/made/round_probes/{cell}/{digest}.parquet",
    log:
        "logs/{study}/round_probes/{cell}/{digest}.log",
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
        store=config["store"],
        device=config["device"],
    message:
        "probing rounds of {wildcards.study} {wildcards.cell}"
    script:
        "../scripts/probe_round.py"
