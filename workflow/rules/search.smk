# Searches: one job a generation, which builds upon those before; then the results elsewhere.


rule search_generation:
    input:
        lambda wildcards: generation(wildcards).sources,
    output:
        table="results/{study}/made/searches/{search}/{digest}.parquet",
        proposals="results/{study}/made/searches/{search}/{digest}.json",
    log:
        "logs/{study}/searches/{search}/{digest}.log",
    # Each waits for the one before: they come first, so that none waits for all at the end.
    priority: 10**6
    conda:
        "../../envs/hypertransfer.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: megabytes(generation(wildcards), attempt),
        runtime=lambda wildcards, attempt: minutes(generation(wildcards), attempt),
        gpu=gpus(),
    params:
        made_from=lambda wildcards: generation(wildcards).job.made_from,
        store=config["store"],
        device=config["device"],
        save_minutes=config["save_minutes"],
    message:
        "searching {wildcards.study} {wildcards.search}"
    script:
        "../scripts/search_generation.py"


rule carry_over:
    input:
        lambda wildcards: carried(wildcards).sources,
    output:
        "results/{study}/made/transfers/{search}/{digest}.parquet",
    log:
        "logs/{study}/transfers/{search}/{digest}.log",
    priority: 10**6
    conda:
        "../../envs/hypertransfer.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: megabytes(carried(wildcards), attempt),
        runtime=lambda wildcards, attempt: minutes(carried(wildcards), attempt),
        gpu=gpus(),
    params:
        made_from=lambda wildcards: carried(wildcards).job.made_from,
        store=config["store"],
        device=config["device"],
        save_minutes=config["save_minutes"],
    message:
        "carrying over {wildcards.study} {wildcards.search}"
    script:
        "../scripts/carry_over.py"
