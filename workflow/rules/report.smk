# Figures, reports, and the names that people use.


rule draw_figure:
    input:
        lambda wildcards: plan_of(wildcards).table_files,
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
    resources:
        mem_mb=light_megabytes,
        runtime=light_minutes,
    params:
        made_from=lambda wildcards: plan_of(wildcards)
        .figures[wildcards.figure]
        .made_from,
        caption=lambda wildcards: plan_of(wildcards).caption(wildcards.figure),
    script:
        "../scripts/draw_figure.py"


rule write_report:
    input:
        tables=lambda wildcards: plan_of(wildcards).table_files,
        claims=lambda wildcards: plan_of(wildcards).claims_file,
        figures=lambda wildcards: plan_of(wildcards).figure_files,
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
    resources:
        mem_mb=light_megabytes,
        runtime=light_minutes,
    params:
        made_from=lambda wildcards: plan_of(wildcards).report.made_from,
        template=lambda wildcards: str(notebook(plan_of(wildcards).study)),
    script:
        "../scripts/write_report.py"


rule publish_study:
    input:
        lambda wildcards: plan_of(wildcards).publication.files.values(),
    output:
        "results/{study}/made/published/{digest}.json",
    log:
        "logs/{study}/publish/{digest}.log",
    conda:
        "../../envs/hypertransfer.yaml"
    resources:
        mem_mb=light_megabytes,
        runtime=light_minutes,
    params:
        made_from=lambda wildcards: plan_of(wildcards).publication.job.made_from,
    script:
        "../scripts/publish.py"


rule write_index:
    input:
        INDEX.claims_files,
    output:
        scorecard="results/made/index/{digest}/scorecard.parquet",
        page="results/made/index/{digest}/index.html",
    log:
        "logs/index/{digest}.log",
    conda:
        "../../envs/hypertransfer.yaml"
    resources:
        mem_mb=light_megabytes,
        runtime=light_minutes,
    params:
        made_from=INDEX.job.made_from,
    script:
        "../scripts/write_index.py"


rule publish_index:
    input:
        INDEX.publication.files.values(),
    output:
        "results/made/published/{digest}.json",
    log:
        "logs/index/publish-{digest}.log",
    conda:
        "../../envs/hypertransfer.yaml"
    resources:
        mem_mb=light_megabytes,
        runtime=light_minutes,
    params:
        made_from=INDEX.publication.job.made_from,
    script:
        "../scripts/publish.py"
