# hypertransfer: do hyperparameters found on a small network still hold on a large one?
#
# `snakemake` makes everything; `snakemake -n` says what is missing. See README.md.

from snakemake.utils import min_version

min_version("9.20")


include: "workflow/rules/trust.smk"


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/probe.smk"
include: "workflow/rules/search.smk"
include: "workflow/rules/spaces.smk"
include: "workflow/rules/collect.smk"
include: "workflow/rules/report.smk"


# Every file that is made is a target: one that is missing is made again, whatever hangs on it.
rule all:
    default_target: True
    input:
        [plan.publication.marker for plan in [*PLANS.values(), INDEX]],
        [file for plan in [*PLANS.values(), INDEX] for file in plan.made],


rule train_all:
    input:
        [shard.file for shard in SHARDS.values() if shard.kind == "train"],


rule probe_all:
    input:
        [shard.file for shard in SHARDS.values() if shard.kind != "train"],


rule collect_all:
    input:
        [file for plan in PLANS.values() for file in plan.table_files],


rule figures:
    input:
        [file for plan in PLANS.values() for file in plan.figure_files],
