"""A data set and a model of one's own, named by import path."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest
from tests.support import own_parts
from tests.support.synthetic import Watching, images

from hypertransfer.training import adopted, data_sets


def offer(monkeypatch, folder, name, parts):
    """Offer parts as those of a module in the project's folder, which is `folder`."""
    source = folder / f"{name}.py"  # parts are taken from the project's folder only
    source.touch()
    monkeypatch.chdir(folder)
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None, origin=str(source))
    for attribute, part in parts.items():
        setattr(module, attribute, part)
        monkeypatch.setattr(part, "__module__", name)
    monkeypatch.setitem(sys.modules, name, module)


def offered(monkeypatch, folder, name, parts):
    """The body of a fixture that offers parts, with no data sets or recipes left in memory."""
    offer(monkeypatch, folder, name, parts)
    data_sets._data.cache_clear()
    adopted._recipes.clear()
    yield
    data_sets._data.cache_clear()


@pytest.fixture
def synthetic(monkeypatch, tmp_path):
    """A data set and a model of one's own, named by import path."""
    Watching.seen = []
    parts = {"load": images, "Watching": Watching}
    yield from offered(monkeypatch, tmp_path, "synthetic_parts", parts)


@pytest.fixture
def own(monkeypatch, tmp_path):
    """The parts of `tests.support.own_parts`, as `mine:<name>`."""
    parts = {part.__name__: part for part in own_parts.PARTS}
    yield from offered(monkeypatch, tmp_path, "mine", parts)
