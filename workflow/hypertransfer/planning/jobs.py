"""A Snakemake job as the plan describes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from hypertransfer.planning.job_digest import job_digest
from hypertransfer.planning.planned_runs import KeptWeights
from hypertransfer.runs.canonical import canonical
from hypertransfer.runs.object_text import object_text

RESULTS = Path("results")


@dataclass(frozen=True)
class PlannedJob:
    """A Snakemake job: its rule, the settings and code that decide its output, and its files.

    Attributes:
        rule: The name of the Snakemake rule.
        study: The name of the study; empty for the index above all studies.
        code: The fingerprint of the rule's script, as `job_digest.code_of` returns it.
        parts: The settings that decide the content of the output, as plain values.
        output_patterns: The output files by name. `{digest}` stands for the job's digest.
        input: The input files by the name of their group in the rule.
        seconds: The estimated duration; 0 for a job to which default resources apply.
        retraining_seconds: The estimated time to train again the runs that a job probes. A probe
            does so for runs that the store has lost, or without the weights that it needs.
        bytes: The estimated memory; 0 for a job to which default resources apply.
        texts: The canonical texts of some of the parts, which other jobs share.
        weights: The steps after which the job's runs keep their weights, and those after which
            their weights pass through the store. `weights` does not enter the digest: a probe
            that asks for weights at other steps does not rename the table of the training.
    """

    rule: str
    study: str
    code: Mapping[str, str]
    parts: Mapping[str, Any]
    output_patterns: Mapping[str, str]
    input: Mapping[str, Sequence[str]] = field(default_factory=dict)
    seconds: float = 0.0
    retraining_seconds: float = 0.0
    bytes: float = 0.0
    texts: Mapping[str, str] = field(default_factory=dict)
    weights: KeptWeights = field(default_factory=KeptWeights)

    @cached_property
    def digest(self) -> str:
        """The digest of `parts` and `code`, which is part of the name of every output file."""
        return job_digest(self.code, self.made_from)

    @cached_property
    def output(self) -> dict[str, str]:
        """The output files by name."""
        digest = self.digest
        return {
            name: pattern.replace("{digest}", digest)
            for name, pattern in self.output_patterns.items()
        }

    @property
    def files(self) -> list[str]:
        """All output files."""
        return list(self.output.values())

    @property
    def file(self) -> str:
        """The first output file: the table, for a job that writes one table."""
        return next(iter(self.output.values()))

    @property
    def most_seconds(self) -> float:
        """The estimated duration if every run has to be trained again."""
        return self.seconds + self.retraining_seconds

    @cached_property
    def made_from(self) -> str:
        """`parts` as JSON text, for the parameter `made_from` of the rule."""
        own = {name: canonical(part) for name, part in self.parts.items() if name not in self.texts}
        return object_text({**self.texts, **own})

    @property
    def kept_steps(self) -> str:
        """`weights.keep` as JSON text, for the parameter `keep` of the rule."""
        return canonical(self.weights.keep)

    @property
    def passing_steps(self) -> str:
        """`weights.passing` as JSON text, for the parameter `passing` of the rule."""
        return canonical(self.weights.passing)

    @property
    def probe_keys(self) -> Sequence[str]:
        """The keys of the probe results that the job measures; empty for other jobs."""
        return self.parts.get("probe_keys", ())
