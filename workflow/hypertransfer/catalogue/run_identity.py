"""What makes two specs one run: everything except the folder of the data and the checkpoints.

Neither changes the numbers of a run. If a stored run lacks weights at some steps, the run is
trained again for these weights, bit-equal, under the same key.
"""

from __future__ import annotations

from collections.abc import Hashable
from operator import attrgetter
from typing import Any

from hypertransfer.catalogue import dataset_options
from hypertransfer.catalogue.cards import datasets
from hypertransfer.runs.canonical import canonical
from hypertransfer.runs.spec import FIELDS, Component, RunSpec

_OWN = tuple(name for name in FIELDS if name != "checkpoints")
# Fields whose values cannot be hashed, or are compared in another form.
_AS_TEXT = ("model", "optimizer", "data", "multipliers")
_other_values = attrgetter(*(name for name in _OWN if name not in _AS_TEXT))


def plain_identity(spec: RunSpec) -> dict[str, Any]:
    """The spec as plain values, without the folder of its data and its checkpoints."""
    plain = {name: spec.plain_value(name) for name in _OWN}
    plain["data"].pop("directory", None)
    return plain


class RunIdentities:
    """Computes a hashable value for each of many specs; equal values are one run.

    Runs are one if they have equal `plain_identity` and data of equal content, so that they have
    one key in the run store. The content of each folder is read once.
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
