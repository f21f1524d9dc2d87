# Join the tables of a study's jobs into the tables of the study, and check its claims on them.


rule collect_tables:
    input:
        cells=lambda wildcards: planned(wildcards).input["cells"],
        searches=lambda wildcards: planned(wildcards).input["searches"],
        probes=lambda wildcards: planned(wildcards).input["probes"],
    output:
        runs="results/{study}/made/tables/{digest}/runs.parquet",
        history="results/{study}/made/tables/{digest}/history.parquet",
        probes="results/{study}/made/tables/{digest}/probes.parquet",
    log:
        "logs/{study}/tables/{digest}.log",
    conda:
        "../../envs/hypertransfer.yaml"
    params:
        made_from=lambda wildcards: planned(wildcards).made_from,
    script:
        "../scripts/collect_tables.py"


rule check_claims:
    input:
        tables=lambda wildcards: planned(wildcards).input["tables"],
    output:
        "results/{study}/made/claims/{digest}.parquet",
    log:
        "logs/{study}/claims/{digest}.log",
    conda:
        "../../envs/hypertransfer.yaml"
    params:
        made_from=lambda wildcards: planned(wildcards).made_from,
    script:
        "../scripts/check_claims.py"
