# The study's tables from the tables of all its jobs, and the verdicts from the study's tables.


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
