"""Execute a study's notebook on its tables, figures and verdicts, and write its HTML page."""

from pathlib import Path

import nbformat

from hypertransfer.execution import job
from hypertransfer.report import page as report_page
from hypertransfer.storage.atomic import replace_atomically

with job.running("write_report", snakemake) as parts:
    figures = {
        name: next(
            file
            for file in snakemake.input.figures
            if file.endswith(f"/{name}-{parts['figures'][name]}.png")
        )
        for name in parts["order"]
    }
    # The notebook is executed among the logs, where its traceback remains if a cell fails.
    executed = snakemake.log.notebook
    report_page.execute(
        snakemake.params.template,
        executed,
        {
            "study": parts["study"],
            "scale": parts["scale"],
            "tables": list(snakemake.input.tables),
            "claims": snakemake.input.claims,
            "figures": figures,
            "captions": parts["captions"],
        },
    )
    content = report_page.executed_notebook(executed)
    page = report_page.page(content, parts["study"]["title"])
    text = nbformat.writes(content)
    replace_atomically(Path(snakemake.output.notebook), text.encode())
    replace_atomically(Path(snakemake.output.page), page.encode())
