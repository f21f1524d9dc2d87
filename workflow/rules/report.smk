# Draw figures, write reports and the index, and copy results to stable names.


rule draw_figure:
    input:
        tables=lambda wildcards: planned(wildcards).input["tables"],
    output:
        report(
            "results/{study}/made/figures/{figure}-{digest}.svg",
            caption="../report/figure.rst",
            category="{study}",
            labels={"figure": "{figure}", "format": "SVG"},
        ),
        "results/{study}/made/figures/{figure}-{digest}.png",
    log:
        "logs/{study}/figures/{figure}-{digest}.log",
    conda:
        "../../envs/hypertransfer.yaml"
    params:
        made_from=lambda wildcards: planned(wildcards).made_from,
        caption=lambda wildcards: PLANS[wildcards.study].caption(wildcards.figure),
    script:
        "../scripts/draw_figure.py"


rule write_report:
    input:
        tables=lambda wildcards: planned(wildcards).input["tables"],
        claims=lambda wildcards: planned(wildcards).input["claims"][0],
        figures=lambda wildcards: planned(wildcards).input["figures"],
    output:
        notebook="results/{study}/made/reports/{digest}.ipynb",
        page=report(
            "results/{study}/made/reports/{digest}.html",
            caption="../report/report.rst",
            category="{study}",
            labels={"figure": "report", "format": "HTML"},
        ),
    log:
        "logs/{study}/report/{digest}.log",
        notebook="logs/{study}/report/{digest}.ipynb",
    conda:
        "../../envs/hypertransfer.yaml"
    params:
        made_from=lambda wildcards: planned(wildcards).made_from,
        template=lambda wildcards: str(PLANS[wildcards.study].template),
    script:
        "../scripts/write_report.py"


rule publish_study:
    input:
        made=lambda wildcards: planned(wildcards).input["made"],
    output:
        "results/{study}/made/published/{digest}.json",
    log:
        "logs/{study}/publish/{digest}.log",
    conda:
        "../../envs/hypertransfer.yaml"
    params:
        made_from=lambda wildcards: planned(wildcards).made_from,
    script:
        "../scripts/publish.py"


rule write_index:
    input:
        claims=lambda wildcards: planned(wildcards).input["claims"],
    output:
        scorecard="results/made/index/{digest}/scorecard.parquet",
        page="results/made/index/{digest}/index.html",
    log:
        "logs/index/{digest}.log",
    conda:
        "../../envs/hypertransfer.yaml"
    params:
        made_from=lambda wildcards: planned(wildcards).made_from,
    script:
        "../scripts/write_index.py"


rule publish_index:
    input:
        made=lambda wildcards: planned(wildcards).input["made"],
    output:
        "results/made/published/{digest}.json",
    log:
        "logs/index/publish-{digest}.log",
    conda:
        "../../envs/hypertransfer.yaml"
    params:
        made_from=lambda wildcards: planned(wildcards).made_from,
    script:
        "../scripts/publish.py"
