"""The kernel of report notebooks: that of IPython, without settings of the user or the machine.

python -P -m hypertransfer.report.kernel -f CONNECTION_FILE
"""

from __future__ import annotations

import sys
from pathlib import Path

from ipykernel.kernelapp import IPKernelApp


class ReportKernelApp(IPKernelApp):
    """A Python kernel that reads no config file and runs no startup file."""

    def load_config_file(self, suppress_errors: bool | None = None) -> None:
        """Read no config file: neither that of a profile nor that of the machine."""

    def init_path(self) -> None:
        """Find the user's modules in the working folder, after all others, as jobs do."""
        sys.path.append(str(Path.cwd()))

    def init_code(self) -> None:
        """Run no startup file: neither those of a profile or the machine, nor PYTHONSTARTUP."""


if __name__ == "__main__":
    ReportKernelApp.launch_instance()
