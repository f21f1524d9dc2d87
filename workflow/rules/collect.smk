# From cells to the study's tables, and from tables to verdicts.


rule collect_tables:
    input:
        cells=lambda wildcards: plan_of(wildcards).files("train"),
        searches=lambda wildcards: [job.file for job in plan_of(wildcards).searches],
        probes=lambda wildcards: plan_of(wildcards).files("probe"),
    output:
        expand(
            "results/{{study}}/made/tables/{{digest}}/{table}.parquet",
            table=TABLES,
        ),
    log:
        "logs/{study}/tables/{digest}.log",
    conda:
        "../../envs/hypertransfer.yaml"
    resources:
        mem_mb=light_megabytes,
        runtime=light_minutes,
    params:
        made_from=lambda wildcards: plan_of(wildcards).collect.made_from,
    script:
        "../scripts/collect_tables.py"


rule check_claims:
    input:
        lambda wildcards: plan_of(wildcards).table_files,
    output:
        "results/{study}/made/claims/{digest}.parquet",
    log:
        "logs/{study}/claims/{digest}.log",
    conda:
        "../../envs/hypertransfer.yaml"
    resources:
        mem_mb=light_megabytes,
        runtime=light_minutes,
    params:
        made_from=lambda wildcards: plan_of(wildcards).claims.made_from,
    script:
        "../scripts/check_claims.py"
