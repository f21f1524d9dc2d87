"""Limits for tests with hostile input."""

import resource
from pathlib import Path

import pytest


@pytest.fixture
def bounded():
    """At most a gigabyte more memory than the process has: bombs fail, and harm nothing else."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)
