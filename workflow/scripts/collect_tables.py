"""Join a study's cells into its tables: runs, history, probes."""

from pathlib import Path

from hypertransfer import collect, jobs, records

with jobs.running("collect_tables", snakemake):  # noqa: F821
    tables = collect.collect(list(snakemake.input.cells), list(snakemake.input.probes))  # noqa: F821
    for path in snakemake.output:  # noqa: F821
        records.write(tables[Path(path).stem], path)
