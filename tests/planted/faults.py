"""Faults planted into networks and tables, and whether `check-up` names their module."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.planted import configurations
from tests.planted.configurations import SPARE, settings

from hypertransfer.cli.main import main

IMAGES = ("conv", "biased", "chain")  # families of networks for images
LARGER = {"embedded": 8}  # batches, as a factor
MODULE = configurations.__name__
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Fault:
    """A fault, and where the check should find it.

    Attributes:
        text: what is wrong.
        modules: the beginnings of the paths of the modules of which one is right to name.
        families: the families of networks that can have it.
        quantities: those in which it shows; any by default.
        in_table: whether the table has it, and not the network.
        singled_out: patterns of the parameters, by family, that an override gives a row of their
            own in the table.
    """

    text: str
    modules: tuple[str, ...]
    families: tuple[str, ...]
    quantities: tuple[str, ...] = ()
    in_table: bool = True
    singled_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


FAULTS: Mapping[str, Fault] = {
    "readout rate": Fault(
        "the readout has the learning rate of the base", ("out", "head"), ("mlp", "gpt", "conv")
    ),
    "root rate": Fault(
        "the rate of the readout falls by a further 1/√width, and its decay grows as much",
        ("out", "head"),
        ("mlp", "gpt", "conv"), ("update",),
    ),
    "input rate": Fault("the rate of the input layer falls as a hidden one's", ("inp",), ("mlp",)),
    "hidden rate": Fault(
        "one hidden layer has the rate of the base", ("blocks.1.c1",), ("conv",),
        singled_out={"conv": ("blocks.1.c1.weight",)},
    ),
    "embedding": Fault(
        "the initial values of the input layer or of embeddings shrink as 1/√width",
        ("inp", "tok", "pos"),
        ("mlp", "gpt", "conv"),
    ),
    "frozen": Fault(
        "the inputs of one layer do not grow, and its rate and decay are scaled as if they did",
        ("blocks.1.down", "blocks.1.mlp.2"),
        ("mlp", "gpt"),
    ),
    "decay": Fault(
        "the weight decay of one block is that of the base, while its rate falls",
        ("blocks.1.", "blocks.1"),
        ("mlp", "gpt", "conv"),
        ("decay",),
        singled_out={
            "mlp": ("blocks.1.up.weight", "blocks.1.down.weight"),
            "gpt": ("blocks.1.attn.*.weight", "blocks.1.mlp.*.weight"),
            "conv": ("blocks.1.c?.weight",),
        },
    ),
    "residual": Fault(
        "the factor on residual branches is missing", ("blocks.",), ("mlp", "gpt", "conv"),
        ("branch",),
    ),
    "attention": Fault(
        "logits are divided by √d, where heads grow", ("blocks.",), ("gpt",),
        ("logits", "logit change"),
        in_table=False,
    ),
    "tied": Fault(
        "the readout shares the embedding's weights, and has no multiplier", ("head",), ("gpt",)
    ),
    "embedding factor": Fault(
        "the network multiplies the output of the input layer or the embedding by √width",
        ("inp", "tok"), ("mlp", "gpt", "conv"), ("factor",), in_table=False,
    ),
    "branch factor": Fault(
        "a module around the end of one branch multiplies by √width",
        ("blocks.1.down", "blocks.1.mlp.2", "blocks.1.b2"), ("mlp", "gpt", "conv"), ("factor",),
        in_table=False,
    ),
    "logits factor": Fault(
        "a module around the readout multiplies by √width",
        ("out", "head"), ("mlp", "gpt", "conv"), ("factor",), in_table=False,
    ),
}  # fmt: skip


def command(family: str, fault: str, seed: int) -> list[str]:
    """The words that check a configuration; `fault` is empty for a sound one."""
    own = fault.replace(" ", "_") or "sound"
    of, name = settings(own, seed), f"{family}_{own}_{seed}"
    about, samples = FAULTS.get(fault), of.samples * LARGER.get(family, 1)
    return [
        "check-up",
        f"{MODULE}:{name}",
        *("--width", str(of.base), "--depth", str(of.depth), "--batch", str(samples)),
        *("--lr", repr(of.lr), "--weight-decay", repr(of.weight_decay)),
        *("--table", f"{MODULE}:table_{name}" if about and about.in_table else of.table),
        *(("--inputs", f"{MODULE}:{configurations.images.__name__}") if family in IMAGES else ()),
        *(
            word
            for pattern in (about.singled_out.get(family, ()) if about else ())
            for word in ("--role", f"{pattern}={SPARE.value}")
        ),
    ]


def suspects(words: Sequence[str]) -> list[dict[str, Any]]:
    """The suspects that the command names, the likeliest first.

    Raises:
        AssertionError: the command refuses the network, with its messages.
    """
    printed, errors = io.StringIO(), io.StringIO()
    with TemporaryDirectory() as folder, redirect_stdout(printed), redirect_stderr(errors):
        file = Path(folder) / "check.json"
        with chdir(ROOT):  # modules of users are in the folder of the workflow
            main([*words, "--json", str(file)])
        assert file.exists(), errors.getvalue()
        return json.loads(file.read_text("utf-8"))["suspects"]


def is_named(fault: str, found: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the likeliest suspect is the module with the fault."""
    if not found:
        return False
    first, about = found[0], FAULTS[fault]
    right = first["module"].startswith(about.modules)
    return right and (not about.quantities or first["quantity"] in about.quantities)


def alarm(family: str, seed: int, more: Sequence[str] = ()) -> bool:
    """Whether the check finds a suspect in a sound configuration, with more words of a command."""
    return bool(suspects([*command(family, "", seed), *more]))


def named(family: str, fault: str, seed: int) -> bool:
    """Whether the first suspect of a configuration with a fault is the module at fault."""
    return is_named(fault, suspects(command(family, fault, seed)))
