"""The command `hypertransfer references`, which `prune` and `verify` call."""

from __future__ import annotations

import argparse
import sys

from hypertransfer.maintenance import references
from hypertransfer.studies.main_config import main_config, studies_folder


def run(arguments: argparse.Namespace) -> int:
    """Write the references of the project in the working directory to standard output.

    Raises:
        ConfigError: every problem of the configs.
    """
    config, _ = main_config(arguments.configfile, arguments.config)
    references.write_references(config, studies_folder(arguments.configfile), sys.stdout.write)
    return 0
