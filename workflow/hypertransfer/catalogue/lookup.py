"""Import paths of the parts that a config names, and safe imports of these parts."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from hypertransfer.catalogue.cards import datasets, optimizers, package_optimizers
from hypertransfer.catalogue.cards.networks import MODELS
from hypertransfer.catalogue.cards.optimizers import OPTIMIZERS
from hypertransfer.catalogue.module_source import PACKAGE, is_hidden, own
from hypertransfer.parameterisation.algebra import Parameterisation
from hypertransfer.parameterisation.tables import PARAMETERISATIONS
from hypertransfer.runs.spec import Component, RunSpec


def import_path(kind: str, name: str) -> str:
    """The import path `module:attribute` of a network, an optimizer or a data set by name."""
    if ":" in name:
        return name
    if kind == "data":
        return datasets.card(name).module
    return {"model": MODELS, "optimizer": OPTIMIZERS}[kind][name].path


# The module or package of the library that has the parts of each kind, none of which writes files.
OF_THE_LIBRARY = {
    "model": "hypertransfer.networks",
    "optimizer": "hypertransfer.optimizers",
    "data": "hypertransfer.data",
    "parameterisation": "hypertransfer.parameterisation.tables",
    "loss": "hypertransfer.training.losses",
    "probe": "hypertransfer.probes",
}


def of_package(optimizer: Component) -> bool:
    """Whether the name of an optimizer is the import path of a class of an installed package."""
    return optimizer.name.partition(":")[0] in package_optimizers.PACKAGES


def packages(optimizer: Component) -> tuple[str, ...]:
    """Installed packages that compute an optimizer's updates; torch only if named by the config."""
    if of_package(optimizer):
        return (optimizer.name.partition(":")[0].partition(".")[0],)
    card = OPTIMIZERS.get(optimizer.name)
    return card.packages if card else ()


def objection(kind: str, path: str) -> str:
    """Why a config may not name `module:attribute` as a part of this kind; empty if it may."""
    module, _, attribute = path.partition(":")
    if kind == "optimizer" and module in package_optimizers.PACKAGES:
        public = attribute.isidentifier() and not attribute.startswith("_")
        return "" if public else f"found: {attribute!r} is no public name of a module"
    source = own(module)
    if module.endswith(".py"):
        return f"the name of a module: leave out .py, as in {module[:-3]}:{attribute}"
    if source is None:
        return f"found: no source of module {module!r} in the project's folder or the library"
    if is_hidden(module, source):
        return f"found: another module of the same name hides {source}; rename {source.name}"
    if not attribute.isidentifier() or attribute.startswith("_"):
        return f"found: {attribute!r} is no public name of a module"
    home = OF_THE_LIBRARY[kind]
    if module.partition(".")[0] == PACKAGE and not f"{module}.".startswith(f"{home}."):
        return f"allowed: in the library, a {kind} must be in {home}"
    return ""


def load(kind: str, path: str) -> Any:
    """The object at `module:attribute`, which is imported only if a config may name it.

    An import must load the source file that `own` finds. Functions and classes must be defined in
    a module that a config may name: a name that a module imports from elsewhere is refused.

    Raises:
        ValueError: a config may not name the object, or the object cannot be imported.
    """
    module, _, attribute = path.partition(":")
    if text := objection(kind, path):
        raise ValueError(f"{path!r} is not {text}")
    if kind == "optimizer" and module in package_optimizers.PACKAGES:
        return _optimizer_class(module, attribute)
    if find_spec(module.partition(".")[0]) is None:
        raise ValueError(f"{path!r}: {own(module)} is not on Python's path")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{path!r} cannot be imported: {error}") from error
    maker = getattr(found, "__module__", module) if callable(found) else module
    if maker != module and (text := objection(kind, f"{maker}:{attribute}")):
        raise ValueError(f"{path!r} is defined in {maker}, and {maker}:{attribute} is not {text}")
    return found


def _optimizer_class(module: str, attribute: str) -> type:
    """The class of a package; of its names, optimizers alone may be taken."""
    parts = vars(import_module(module))
    known = {name: one for name, one in parts.items() if _is_optimizer(one)}
    if attribute not in known:
        raise ValueError(
            f"{module} has no optimizer {attribute!r}; it has {', '.join(sorted(known))}"
        )
    return known[attribute]


def _is_optimizer(found: object) -> bool:
    """Whether an object is a subclass of torch's Optimizer; by name, as planning has no torch."""
    bases = found.__mro__ if isinstance(found, type) else ()
    return any((b.__module__, b.__name__) == ("torch.optim.optimizer", "Optimizer") for b in bases)


def table(spec: RunSpec) -> Parameterisation:
    """The parameterisation that the spec names, for its optimizer's family.

    Raises:
        ValueError: the table cannot be imported, or none is for the optimizer's gradient power.
    """
    name = spec.parameterisation
    power = optimizers.gradient_power(spec.optimizer)
    if power is None:
        raise ValueError(f"optimizer {spec.optimizer.name!r} needs gradient_power: 0 or 1")
    found = load("parameterisation", name) if ":" in name else PARAMETERISATIONS[name]
    if isinstance(found, Parameterisation):
        found = {found.gradient_power: found}
    if not isinstance(found, Mapping) or not all(
        isinstance(entry, Parameterisation) for entry in found.values()
    ):
        raise ValueError(
            f"{name!r} is neither a Parameterisation nor a mapping from powers to tables"
        )
    if power not in found:
        raise ValueError(
            f"parameterisation {name!r} has tables for gradient powers {sorted(found)}, but the "
            f"optimizer {spec.optimizer.name!r} has {power}"
        )
    return found[power]
