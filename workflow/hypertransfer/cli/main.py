"""The entry point of the command line: parse arguments, run a command, print errors."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from hypertransfer.analysis.estimate import AnalysisError
from hypertransfer.catalogue.versions import installed_version
from hypertransfer.cli import arguments
from hypertransfer.runs.problem import ProblemError
from hypertransfer.spaces.tasks.tables import TableError
from hypertransfer.storage.run_store import StoreError
from hypertransfer.studies.document import ConfigError


def main(words: Sequence[str] | None = None) -> int:
    """Run a command; returns 0 if the command succeeded, 1 if it failed or found faults."""
    for stream in (sys.stdout, sys.stderr):  # of a terminal that does not know every letter
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    parsed = arguments.parser(installed_version("hypertransfer")).parse_args(words)
    if str(Path.cwd()) not in sys.path:  # the user's own modules, as in the Snakefile
        sys.path.append(str(Path.cwd()))
    try:
        code = command_function(parsed.function)(parsed)
        sys.stdout.flush()
    except (AnalysisError, ConfigError, StoreError, TableError, ProblemError) as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # the process that reads the output, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def command_function(name: str) -> Callable[..., int]:
    """Import the function of a command, given as `module:function`; see `arguments`."""
    module, _, function = name.partition(":")
    return getattr(import_module(f"hypertransfer.cli.{module}"), function)
