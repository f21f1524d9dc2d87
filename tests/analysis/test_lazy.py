"""Modules that are imported at their first use."""

import subprocess
import sys

import pytest

from hypertransfer.analysis.lazy import LazyModule


def test_a_module_is_imported_when_an_attribute_is_read():
    code = (
        "import sys; from hypertransfer.analysis import arms, spaces, trajectories\n"
        "heavy = ('numpy', 'pandas', 'scipy')\n"
        "print([m for m in heavy if m in sys.modules])\n"
        "from hypertransfer.analysis.lazy import numpy\n"
        "print(float(numpy.sqrt(4.0)), [m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.splitlines() == ["[]", "2.0 ['numpy']"]


def test_a_missing_attribute_is_an_error_of_attributes():
    with pytest.raises(AttributeError, match="nothing"):
        _ = LazyModule("math").nothing
