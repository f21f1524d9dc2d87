"""Typed sections of a config: frozen dataclasses whose fields are the keys of a mapping."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, ClassVar, Self

from hypertransfer.runs.canonical import canonical, is_plain


class Section:
    """Base of the dataclasses that hold a section of a config.

    Each field has the name and the default of a key. Fields in `DERIVED` have no key.
    """

    DERIVED: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """The section of a mapping that the section's schema has accepted."""
        return cls(**values)

    def plain(self) -> dict[str, Any]:
        """The mapping that `parse` reads back, without the keys that have their default value.

        Job parts hold this form, so that the names of files depend neither on defaults that a
        config writes out, nor on the order of fields.
        """
        keys = [f for f in fields(self) if f.name not in self.DERIVED]  # type: ignore[arg-type]
        values = {f.name: (f, plain(getattr(self, f.name))) for f in keys}
        return {name: value for name, (f, value) in values.items() if not _is_default(f, value)}

    def complete(self) -> dict[str, Any]:
        """The mapping that `parse` reads back, with every key: defaults are written out.

        Job parts that hold this form have all settings of a job, so that the job's code needs no
        defaults, and a default that changes renames the job's files.
        """
        keys = [f.name for f in fields(self) if f.name not in self.DERIVED]  # type: ignore[arg-type]
        return {name: complete(getattr(self, name)) for name in keys}


def plain(value: Any) -> Any:
    """The value with its sections turned into mappings, its tuples into lists, and keys into texts.

    Jobs read their parts from JSON, in which all keys are texts.
    """
    return _mapped(value, lambda section: section.plain())


def complete(value: Any) -> Any:
    """As `plain`, with every key of all sections."""
    return _mapped(value, lambda section: section.complete())


def _mapped(value: Any, mapping_of: Callable[[Section], dict[str, Any]]) -> Any:
    if isinstance(value, Section):
        return mapping_of(value)
    if isinstance(value, Mapping):
        return {str(key): _mapped(inner, mapping_of) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(inner, mapping_of) for inner in value]
    return value


def default_of(f: Field) -> Any:
    """The plain default of a field, or `MISSING` if the field has none."""
    if f.default_factory is not MISSING:
        return plain(f.default_factory())
    return plain(f.default)


def _is_default(f: Field, value: Any) -> bool:
    default = default_of(f)
    if default is MISSING or not is_plain(value):
        return False
    # As canonical text, since 1, 1.0 and True are equal in Python and differ in a config.
    return canonical(default) == canonical(value)
