"""Check a study's claims on its tables and write the verdicts."""

from hypertransfer.analysis.looks import Looks
from hypertransfer.claims.verdicts import scorecard
from hypertransfer.execution import job
from hypertransfer.storage import collect, parquet

with job.running("check_claims", snakemake) as parts:
    looks = parts.get("looks")
    verdicts = scorecard(
        parts["claims"],
        collect.frames(snakemake.input),
        study=parts["study"],
        scale=parts["scale"],
        edition=parts["edition"],
        registered=parts["registered"],
        searched=parts.get("searched", ()),
        looks=looks and Looks(tuple(looks["seeds"]), frozenset(looks["claims"])),
    )
    parquet.write(collect.verdict_table(verdicts), snakemake.output[0])
