# The workflow is in workflow/Snakefile. This file lets `snakemake` find it from the top folder.


include: "workflow/Snakefile"


# An included file does not set the default target.
rule default:
    default_target: True
    input:
        rules.all.input,
