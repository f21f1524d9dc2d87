# Rounds and looks: runs that follow from the results of earlier runs. A grid with an adaptive axis
# trains in rounds, for which an allocation reads the tables of the earlier rounds of the grid. Seeds as
# needed run after looks, for which an allocation reads all tables of the study so far. A job for each
# cell trains the runs that the allocation lists, and further jobs probe them.


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


rule allocate_look:
    input:
        cells=lambda wildcards: planned(wildcards).input["cells"],
        probes=lambda wildcards: planned(wildcards).input["probes"],
    output:
        "results/{study}/made/looks/{digest}.json",
    log:
        "logs/{study}/looks/{digest}.log",
    priority: 2 * 10**6
    conda:
        "../../envs/hypertransfer.yaml"
    params:
        made_from=lambda wildcards: planned(wildcards).made_from,
    message:
        "testing the claims of {wildcards.study}, and allocating seeds"
    script:
        "../scripts/allocate_look.py"


rule train_allocated:
    input:
        allocation=lambda wildcards: planned(wildcards).input["allocation"],
    output:
        "results/{study}/made/allocated/{cell}/{digest}.parquet",
    log:
        "logs/{study}/allocated/{cell}/{digest}.log",
    # A round waits for the whole round before, and a look for everything before. They have priority
    # over cells, so that the last ones do not run alone at the end.
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
        passing=lambda wildcards: planned(wildcards).passing_steps,
        store=config["store"],
        device=config["device"],
        save_minutes=config["save_minutes"],
    message:
        "training allocated runs of {wildcards.study} {wildcards.cell}"
    script:
        "../scripts/train_allocated.py"


rule probe_allocated:
    input:
        cells=lambda wildcards: planned(wildcards).input["cells"],
    output:
        "results/{study}/made/allocated_probes/{cell}/{digest}.parquet",
    log:
        "logs/{study}/allocated_probes/{cell}/{digest}.log",
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
        "probing allocated runs of {wildcards.study} {wildcards.cell}"
    script:
        "../scripts/probe_allocated.py"
