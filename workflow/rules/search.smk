# Search: jobs for consecutive generations, which read the earlier generations; then one job that
# trains the results with other seeds and at other targets.


rule search_generations:
    input:
        earlier=lambda wildcards: planned(wildcards).input["earlier"],
    output:
        table="results/{study}/made/searches/{search}/{digest}.parquet",
        proposals="results/{study}/made/searches/{search}/{digest}.json",
    log:
        "logs/{study}/searches/{search}/{digest}.log",
    # Generations wait for the earlier ones. They have priority, so that the last generations do not
    # run alone at the end.
    priority: 10**6
    conda:
        "../../envs/hypertransfer.yaml"
    threads: 1
    resources:
        mem_mb=megabytes,
        runtime=minutes,
        gpu=gpus(),
    params:
        made_from=lambda wildcards: planned(wildcards).made_from,
        store=config["store"],
        device=config["device"],
        save_minutes=config["save_minutes"],
    message:
        "searching {wildcards.study} {wildcards.search}"
    script:
        "../scripts/search_generations.py"


rule carry_over:
    input:
        generations=lambda wildcards: planned(wildcards).input["generations"],
    output:
        "results/{study}/made/transfers/{search}/{digest}.parquet",
    log:
        "logs/{study}/transfers/{search}/{digest}.log",
    priority: 10**6
    conda:
        "../../envs/hypertransfer.yaml"
    threads: 1
    resources:
        mem_mb=megabytes,
        runtime=minutes,
        gpu=gpus(),
    params:
        made_from=lambda wildcards: planned(wildcards).made_from,
        store=config["store"],
        device=config["device"],
        save_minutes=config["save_minutes"],
    message:
        "carrying over {wildcards.study} {wildcards.search}"
    script:
        "../scripts/carry_over.py"
