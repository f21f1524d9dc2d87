"""The JSON schemas of config files, and the choices that other modules take from them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import yaml

from hypertransfer.catalogue.module_source import PACKAGE_ROOT

SCHEMAS = PACKAGE_ROOT / "schemas"
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML may be built without libyaml


@lru_cache
def schema(name: str) -> Any:
    """The schema `workflow/schemas/NAME.schema.yaml`."""
    text = (SCHEMAS / f"{name}.schema.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=_Loader)


def scales() -> list[str]:
    """The scales of a study, from the smallest."""
    return schema("config")["properties"]["scale"]["enum"]


def ids() -> Any:
    """The schema of ids of figures and claims."""
    return schema("study")["$defs"]["id"]


def confidences() -> list[str]:
    """How clearly a source can state a claim, from the clearest."""
    return schema("study")["$defs"]["claim"]["properties"]["confidence"]["enum"]


def kinds() -> list[str]:
    """The kinds of claims: who makes the statement."""
    return schema("study")["$defs"]["claim"]["properties"]["kind"]["enum"]
