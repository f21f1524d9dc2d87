"""The section of the reference page that says what planning knows of packages' optimizers."""

from __future__ import annotations

from collections.abc import Iterator

from hypertransfer.catalogue.cards.package_optimizers import (
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
    yield "Some classes follow the run's learning rates with these options only:"
    needed = NEEDED_OPTIONS.items()
    yield table(
        ("class", "options"),
        [
            (code(name), ", ".join(code(f"{k}: {default_text(v)}") for k, v in options.items()))
            for name, options in needed
        ],
    )
    yield "Planning refuses these:"
    refused = REFUSED.items()
    yield table(("class", "reason"), [(code(name), reason) for name, reason in refused])
