# Search spaces: evaluate tasks, replay searches in learned spaces, and collect the tables.


rule evaluate_tasks:
    output:
        "results/{study}/made/evaluations/{suite}/{digest}.parquet",
    log:
        "logs/{study}/evaluations/{suite}/{digest}.log",
    # A replay waits for all evaluations of its suite, so evaluations run before trainings.
    priority: 10**5
    conda:
        "../../envs/hypertransfer.yaml"
    threads: 1
    params:
        made_from=lambda wildcards: planned(wildcards).made_from,
    message:
        "evaluating tasks of {wildcards.study} {wildcards.suite}"
    script:
        "../scripts/evaluate_tasks.py"


rule replay:
    input:
        tasks=lambda wildcards: planned(wildcards).input["tasks"],
    output:
        regrets="results/{study}/made/replays/{replay}/{digest}.parquet",
        regions="results/{study}/made/regions/{replay}/{digest}.parquet",
    log:
        "logs/{study}/replays/{replay}/{digest}.log",
    priority: 10**5
    conda:
        "../../envs/hypertransfer.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        made_from=lambda wildcards: planned(wildcards).made_from,
    message:
        "replaying {wildcards.study} {wildcards.replay}"
    script:
        "../scripts/replay.py"


rule collect_spaces:
    input:
        replays=lambda wildcards: planned(wildcards).input["replays"],
        regions=lambda wildcards: planned(wildcards).input["regions"],
        tasks=lambda wildcards: planned(wildcards).input["tasks"],
    output:
        replays="results/{study}/made/tables/{digest}/replays.parquet",
        regions="results/{study}/made/tables/{digest}/regions.parquet",
        winners="results/{study}/made/tables/{digest}/winners.parquet",
    log:
        "logs/{study}/tables/{digest}.log",
    conda:
        "../../envs/hypertransfer.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
    params:
        made_from=lambda wildcards: planned(wildcards).made_from,
    script:
        "../scripts/collect_spaces.py"
