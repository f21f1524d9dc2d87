"""The section of the reference page that says what planning knows of packages' optimizers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hypertransfer.catalogue.cards.package_optimizers import (
    COUPLED,
    DECOUPLING,
    DECOUPLING_OF,
    GRADIENT_POWERS,
    NEEDED_OPTIONS,
    REFUSED,
)
from hypertransfer.report.markdown import code, table
from hypertransfer.report.option_tables import default_text


def section() -> Iterator[str]:
    """The parts of the section, as Markdown."""
    yield "## Classes of torch.optim and pytorch_optimizer"
    yield (
        "Source: `hypertransfer.catalogue.cards.package_optimizers`. A config names a class as "
        "`torch.optim:Name` or `pytorch_optimizer:Name`. Gradient powers of these are known; any "
        "other class needs the option `gradient_power`."
    )
    powers = GRADIENT_POWERS
    yield table(
        ("gradient power", "classes"),
        [
            (power, ", ".join(code(name) for name, known in powers.items() if known == power))
            for power in sorted(set(powers.values()))
        ],
    )
    yield "Some classes follow the run's `lr` and `weight_decay` with these options only:"
    yield table(("class", "options"), _settings(NEEDED_OPTIONS))
    every_class = ", ".join(code(f"{k}: {default_text(v)}") for k, v in DECOUPLING.items())
    yield (
        "A run may have a weight decay if that of the class is decoupled. Of these options, a "
        f"class then needs those that it has: {every_class}. Some classes also need:"
    )
    yield table(("class", "options"), _settings(DECOUPLING_OF))
    yield "Planning refuses a weight decay with these:"
    yield table(("class", "its decay"), [(code(name), why) for name, why in COUPLED.items()])
    yield "Planning refuses these:"
    refused = REFUSED.items()
    yield table(("class", "reason"), [(code(name), reason) for name, reason in refused])


def _settings(classes: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """The rows of a table of classes with the values of options that they need."""
    for name, options in classes.items():
        yield code(name), ", ".join(code(f"{k}: {default_text(v)}") for k, v in options.items())
