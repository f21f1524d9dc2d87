"""The hidden command `hypertransfer references`, which `prune` and `verify` call."""

from __future__ import annotations

import argparse
import sys

from hypertransfer.cli.main_config import main_config
from hypertransfer.maintenance import references


def run(arguments: argparse.Namespace) -> int:
    """Write the references of the project in the working directory to standard output.

    Raises:
        ConfigError: every problem of the configs.
    """
    config = main_config(arguments.configfile, arguments.config)
    references.write_references(config, arguments.configfile.parent / "studies", sys.stdout.write)
    return 0
