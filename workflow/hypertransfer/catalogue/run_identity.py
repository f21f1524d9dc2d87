"""What makes two specs one run: everything except the folder of the data and the checkpoints.

Neither changes the numbers of a run. If a stored run lacks weights at some steps, the run is
trained again for these weights, bit-equal, under the same key.
"""

from __future__ import annotations

from collections.abc import Hashable
from operator import attrgetter

from hypertransfer.catalogue import dataset_options
from hypertransfer.catalogue.cards import datasets
from hypertransfer.runs.canonical import canonical, text_digest
from hypertransfer.runs.spec import FIELDS, Component, RunSpec

_OWN = tuple(name for name in FIELDS if name != "checkpoints")
# Fields whose values cannot be hashed, or are compared in another form.
_AS_TEXT = ("model", "optimizer", "data", "multipliers")
_other_values = attrgetter(*(name for name in _OWN if name not in _AS_TEXT))
_SORTED = tuple(sorted(_OWN))
_sorted_values = attrgetter(*_SORTED)


class IdentityDigests:
    """Computes the first part of the key of each of many specs.

    It is the digest of the spec's plain values, without the folder of its data and its checkpoints.
    Specs of a grid share the objects of most fields; the text of a field whose object is that of
    the previous spec is not written again.
    """

    def __init__(self) -> None:
        self._values: tuple[object, ...] = tuple(object() for _ in _SORTED)
        self._texts = [""] * len(_SORTED)

    def of(self, spec: RunSpec) -> str:
        """The digest: 24 hexadecimal digits."""
        values = _sorted_values(spec)
        for index, (value, last) in enumerate(zip(values, self._values, strict=True)):
            if value is not last:
                self._texts[index] = _field_text(_SORTED[index], spec)
        self._values = values
        text = "{" + ",".join(self._texts) + "}"  # as `object_text` of all fields
        return text_digest(text)


def _field_text(name: str, spec: RunSpec) -> str:
    """A field and its plain value as a part of canonical JSON."""
    value = spec.plain_value(name)
    if name == "data":
        value.pop("directory", None)
    return f"{canonical(name)}:{canonical(value)}"


class RunIdentities:
    """Computes a hashable value for each of many specs; equal values are one run.

    Runs are one if they have equal values of all fields except the checkpoints and the folder of
    the data, and data of equal content, so that they have one key in the run store. The content of
    each folder is read once.
    """

    def __init__(self) -> None:
        self._data: dict[str, str] = {}

    def of(self, spec: RunSpec) -> Hashable:
        """The value that all specs of one run share."""
        if spec.data.text not in self._data:
            self._data[spec.data.text] = _data_identity(spec.data)
        parts = (spec.model.text, spec.optimizer.text, self._data[spec.data.text])
        multipliers = canonical(spec.plain_value("multipliers")) if spec.multipliers else ""
        return (*parts, multipliers, *_other_values(spec))


def _data_identity(data: Component) -> str:
    """The name, options and content of a data set, wherever its folder is; as text.

    A folder that is not there counts by its path, since its content is not known.
    """
    if data.name not in datasets.CARDS or dataset_options.objections(data.name, data.options):
        return data.text
    if "directory" not in data.options or dataset_options.missing(data.name, data.options):
        return data.text
    options = {name: value for name, value in data.options.items() if name != "directory"}
    try:
        content = dataset_options.digest(data.name, data.options)
    except datasets.DatasetError:  # planning reports that the folder cannot be read
        return data.text
    return canonical([data.name, options, content])
