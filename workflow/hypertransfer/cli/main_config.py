"""The main config, with overrides from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from hypertransfer.studies.document import ConfigError, LocatedProblem, read
from hypertransfer.studies.study import check_main


def main_config(file: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """The values of the main config, with overrides of the form KEY=VALUE.

    Raises:
        ConfigError: the file cannot be read, an override does not have this form, or a value is
            wrong.
    """
    values = dict(read(file).values)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            problem = "is not KEY=VALUE: write the key, an equals sign, and the value"
            raise ConfigError([LocatedProblem("--config", None, override, problem)])
        try:
            values[key] = yaml.safe_load(text)
        except (yaml.YAMLError, ValueError, RecursionError):
            raise ConfigError(
                [LocatedProblem("--config", None, key, "its value is not YAML")]
            ) from None
    check_main(values, file)
    return values
