# Search spaces: tasks evaluated live, spaces learned from some and tried on others, their tables.


rule evaluate_tasks:
    output:
        "results/{study}/made/evaluations/{suite}/{digest}.parquet",
    log:
        "logs/{study}/evaluations/{suite}/{digest}.log",
    # Replays wait for whole suites: these come before what only training waits for.
    priority: 10**5
    conda:
        "../../envs/hypertransfer.yaml"
    threads: 1
    resources:
        mem_mb=light_megabytes,
        runtime=light_minutes,
    params:
        made_from=lambda wildcards: evaluation(wildcards).job.made_from,
    message:
        "evaluating tasks of {wildcards.study} {wildcards.suite}"
    script:
        "../scripts/evaluate_tasks.py"


rule replay:
    input:
        lambda wildcards: replayed(wildcards).sources,
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
        made_from=lambda wildcards: replayed(wildcards).job.made_from,
    message:
        "replaying {wildcards.study} {wildcards.replay}"
    script:
        "../scripts/replay.py"


rule collect_spaces:
    input:
        replays=lambda wildcards: [job.file for job in plan_of(wildcards).spaces.parts],
        regions=lambda wildcards: [
            job.files[1] for job in plan_of(wildcards).spaces.parts
        ],
        evaluated=lambda wildcards: plan_of(wildcards).spaces.sources,
    output:
        expand(
            "results/{{study}}/made/tables/{{digest}}/{table}.parquet",
            table=replays.TABLES,
        ),
    log:
        "logs/{study}/tables/{digest}.log",
    conda:
        "../../envs/hypertransfer.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=light_minutes,
    params:
        made_from=lambda wildcards: plan_of(wildcards).spaces.collect.made_from,
    script:
        "../scripts/collect_spaces.py"
