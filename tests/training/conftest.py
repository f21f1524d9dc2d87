"""A data set and a model of one's own, named by import path."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest
from tests.support.synthetic import Watching, images

from hypertransfer.training import build


@pytest.fixture
def synthetic(monkeypatch, tmp_path):
    """A data set and a model of one's own, named by import path."""
    source = tmp_path / "synthetic_parts.py"  # parts are taken from the project's folder only
    source.touch()
    monkeypatch.chdir(tmp_path)
    module = ModuleType("synthetic_parts")
    module.__spec__ = ModuleSpec("synthetic_parts", None, origin=str(source))
    module.load, module.Watching = images, Watching
    for part in (images, Watching):
        monkeypatch.setattr(part, "__module__", "synthetic_parts")
    monkeypatch.setitem(sys.modules, "synthetic_parts", module)
    Watching.seen = []
    build._data.cache_clear()
    yield
    build._data.cache_clear()
