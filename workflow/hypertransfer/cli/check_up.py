"""`hypertransfer check-up MODULE:BUILD`: which module of a network does not scale as it should."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
import yaml
from torch import nn

from hypertransfer.catalogue import checks, complete
from hypertransfer.catalogue.cards import datasets
from hypertransfer.catalogue.cards.datasets import DatasetError
from hypertransfer.checkup.fit import misfit, of_tokens
from hypertransfer.checkup.judging import FAIL, PASS, WARN, Finding, suspects
from hypertransfer.checkup.of_run import STEPS, Checked, check
from hypertransfer.cli import check_up_study
from hypertransfer.cli.adopt import at_base, builder, check_sizes, given_inputs
from hypertransfer.cli.errors import CommandError
from hypertransfer.cli.text import aligned, json_text
from hypertransfer.cli.values import with_powers
from hypertransfer.networks.adopted.outputs import predictions
from hypertransfer.networks.adopted.overrides import module_pattern, with_patterns
from hypertransfer.networks.tagged import RoleError
from hypertransfer.runs.problem import ProblemError
from hypertransfer.runs.spec import RunSpec
from hypertransfer.storage.atomic import replace_atomically
from hypertransfer.studies.document import ConfigError, value_in
from hypertransfer.training import data_sets, imports

WIDER, DEEPER = (1, 2, 4, 8), (1, 2, 4)  # times the base
MADE_UP = "hypertransfer.data.made_up:load"
OPTIONS = {  # by the key of a run
    "parameterisation": "--table",
    "optimizer": "--optimizer",
    "lr": "--lr",
    "weight_decay": "--weight-decay",
    "data": "--data",
    "loss": "--loss",
    "batch_size": "--batch",
}
MARKS = {PASS: "", WARN: "?", FAIL: "!"}


def run(arguments: argparse.Namespace) -> int:
    """Print the slope of every module and what is at fault; returns 1 if anything is.

    Raises:
        ConfigError: the network, the data or the optimizer cannot be used.
    """
    try:
        # Built before a training, so that its errors are not those of one.
        build = builder(arguments)
        network = at_base(arguments, build)
        spec = _spec(arguments, network)
        if problems := list(checks.objections(spec)):
            raise ProblemError(problems)
        if arguments.data:
            _check_fit(arguments, spec, network)
        can_build = partial(check_sizes, arguments, build)
        if arguments.study:
            check_up_study.check_options(arguments, spec, can_build)
        widths = [arguments.width * factor for factor in WIDER]
        depths = [arguments.depth * factor for factor in DEEPER]
        found = check(spec, widths, depths, arguments.seeds, before=can_build)
    except ConfigError:
        raise
    except ProblemError as error:
        raise _of_options(error, arguments.build) from error
    except DatasetError as error:
        raise CommandError("--data", str(error)) from error
    except (RoleError, ValueError) as error:
        raise CommandError(arguments.build, str(error)) from error
    except Exception as error:  # of the user's network, loss or data
        raise CommandError(arguments.build, repr(error)) from error
    text, modules = list(lines(spec, found)), plain(spec, found)
    print(*text, sep="\n")
    if arguments.json:
        replace_atomically(arguments.json, json_text(modules).encode())
        print(f"\nwritten to {arguments.json}")
    failed = found.failed
    if arguments.study and not found.widths:
        print(f"\nno study {arguments.study}: its wider networks cannot be trained with this fault")
    elif arguments.study:
        failed |= check_up_study.conduct(arguments, spec, modules, text)
    return int(failed)


def _of_options(error: ProblemError, build: str) -> CommandError:
    """The error that names the option of each problem, in place of the key of a config."""
    first, *more = (
        (OPTIONS.get(problem.path[0] if problem.path else "", build), str(problem))
        for problem in error.problems
    )
    lines = [first[1], *(f"{option}: {text}" for option, text in more)]
    return CommandError(first[0], "\n".join(lines))


def _spec(arguments: argparse.Namespace, network: nn.Module) -> RunSpec:
    """The run that is checked, at the base, where `network` is built."""
    how: dict[str, Any] = {"width": arguments.width_name, "depth": arguments.depth_name}
    how |= {"inputs": arguments.inputs} if arguments.inputs else {}
    how |= {"roles": dict(arguments.role)} if arguments.role else {}
    size = {"width": arguments.width, "depth": arguments.depth}
    return complete.run_spec(
        {
            "model": {"name": arguments.build, "adopt": how},
            "shape": size,
            "base": size,
            "parameterisation": arguments.table,
            "optimizer": _yaml("--optimizer", arguments.optimizer),
            "lr": arguments.lr,
            "weight_decay": arguments.weight_decay,
            "data": _yaml("--data", arguments.data)
            if arguments.data
            else _made_up(arguments, network),
            "loss": arguments.loss,
            "batch_size": arguments.batch,
            "steps": max(STEPS),
            "log_every": 1,
            "seed": 0,
        }
    )


def _check_fit(arguments: argparse.Namespace, spec: RunSpec, network: nn.Module) -> None:
    """Check that the network at the base takes the data.

    Raises:
        CommandError: samples are too long, or tokens or classes are others than the network's.
    """
    card = datasets.CARDS.get(spec.data.name)
    has_context = card and "context" in card.options
    by = "by `context: {}` in --data" if has_context else "of the data to {}"
    imports.import_parts(spec)
    data = data_sets.samples(spec)
    own_loss = ":" in spec.loss  # which may take other outputs
    if text := misfit(network, data, f"shorten samples {by}", outputs=not own_loss):
        raise CommandError(arguments.build, text)


def _yaml(option: str, text: str) -> Any:
    """The value of an option in YAML, in which numbers may be powers of two.

    Raises:
        ConfigError: it is no YAML.
    """
    try:
        return with_powers(value_in(text))
    except yaml.YAMLError as error:
        words = f"{text!r} is no YAML: {getattr(error, 'problem', None) or error}"
        raise CommandError(option, words) from error
    except RecursionError as error:
        raise CommandError(option, f"{text!r} contains itself") from error


@torch.no_grad()
def _made_up(arguments: argparse.Namespace, network: nn.Module) -> dict[str, Any]:
    """Random inputs like the example inputs of the network, and targets like its outputs.

    Raises:
        ConfigError: the network cannot be called with one tensor.
    """
    inputs = given_inputs(arguments, lambda: network)
    tensors = list(inputs.values()) if isinstance(inputs, Mapping) else list(inputs)
    if len(tensors) != 1 or not isinstance(tensors[0], torch.Tensor):
        text = "takes several inputs: wrap it in a module whose forward pass takes one"
        raise CommandError(arguments.build, text)
    (example,) = tensors
    try:
        outputs = predictions(network.eval()(example), network)
    except Exception as error:
        text = f"fails on the example inputs: {error!r}; give others by --inputs, or data by --data"
        if not example.is_floating_point() and example.dim() == 2:
            shorten = "give inputs of {} tokens by --inputs, or data by --data"
            text = of_tokens(network, example, int(example.max()) + 1, shorten) or text
        raise CommandError(arguments.build, text) from error
    if outputs.dim() not in (2, 3):
        shape = tuple(outputs.shape)
        text = f"returns outputs of shape {shape}, for which no targets can be made up: name --data"
        raise CommandError(arguments.build, text)
    return {
        "name": MADE_UP,
        "inputs": list(example.shape[1:]),
        "targets": list(outputs.shape[1:-1]),
        "classes": outputs.shape[-1],
        "vocabulary": 0 if example.is_floating_point() else _vocabulary(network, outputs),
        "train": 4 * arguments.batch,
    }


def _vocabulary(network: nn.Module, outputs: torch.Tensor) -> int:
    """The number of tokens that all embeddings know, or else that are told apart."""
    embeddings = (m.num_embeddings for m in network.modules() if isinstance(m, nn.Embedding))
    return min(embeddings, default=outputs.shape[-1])


def lines(spec: RunSpec, found: Checked) -> Iterator[str]:
    """The lines of the report: the verdict, what is at fault, and the slopes of all modules."""
    alone = f"; not over the depth: {found.without_depth}" if found.without_depth else ""
    about = f"{spec.parameterisation}, {spec.optimizer.name}, lr {spec.lr:g}"
    failed = suspects(found.findings)
    faults, notes = (
        list(dict.fromkeys(map(with_patterns, m))) for m in (found.faults, found.notes)
    )
    yield _verdict(spec, found, len({one.module for one, _ in failed}), len(faults))
    if not found.widths:
        yield f"({about})"
    else:
        yield f"({about}; powers of the size by which each quantity grows{alone})"
    yield ""
    yield from (f"fault: {fault}" for fault in faults)
    yield from (f"note: {text} ({spec.parameterisation} has no factor there)" for text in notes)
    yield from _said(failed, _rows(found))
    if not found.widths:
        return
    if failed or faults or notes:
        yield ""
    head, *rows = _table(found)
    yield from (head, *rows, "", *LEGEND)
    yield from (text for column, text in IF_SHOWN.items() if f" {column} " in f"{head} ")
    if any(f.quantity == "update" and f.status == WARN and f.excess < 0 for f in found.findings):
        yield "An update with a ? may fall in narrow networks alone: repeat with a larger --width"


def _verdict(spec: RunSpec, found: Checked, modules: int, faults: int) -> str:
    """The verdict, with the numbers of modules that fail and of faults."""
    name = spec.model.name
    at_fault = f"fail: {name} has {f'{faults} faults' if faults > 1 else 'a fault'},"
    refused = f"{at_fault} so that {spec.parameterisation} cannot be applied to"
    if not found.widths:
        return f"{refused} wider networks, and no module was measured"
    sizes = f"widths {', '.join(map(str, found.widths))}"
    if found.depths:
        sizes += f" and depths {', '.join(map(str, found.depths))}"
    if modules:
        words = "modules {}do not scale as they" if modules > 1 else "module {}does not scale as it"
        words = words.format("" if faults else f"of {name} ")
        first = f"{at_fault} and" if faults else "fail:"
        return f"{first} {modules} {words} should over {sizes}"
    if faults:
        return f"{refused} deeper networks; all modules scale as they should over {sizes}"
    return f"pass: all modules of {name} scale as they should over {sizes}"


def _rows(found: Checked) -> dict[str, tuple[str, str]]:
    """The row of each module: its path with `*` in place of the numbers of blocks, and its role."""
    names = {one.module: module_pattern(one.module) or "(the network)" for one in found.findings}
    own = {one.module: one.role for one in found.findings if one.role}
    alike = {names[module]: role for module, role in own.items()}  # of blocks of deeper networks
    return {m: (name, own.get(m) or alike.get(name, "")) for m, name in names.items()}


def _said(
    failed: Sequence[tuple[Finding, str]], rows: Mapping[str, tuple[str, str]]
) -> Iterator[str]:
    """The worst suspect of each row and quantity in words, with the number of modules."""
    kinds: dict[tuple[tuple[str, str], str], list[tuple[Finding, str]]] = {}
    for one, text in failed:
        kinds.setdefault((rows[one.module], one.quantity), []).append((one, text))
    for ((name, _), _), alike in kinds.items():
        one, text = alike[0]
        several = f" ({len(alike)} modules)" if len(alike) > 1 else ""
        yield f"{name}{several}{text.removeprefix(one.module)}"


QUANTITIES = {
    ("gain", 0): "output",
    ("factor", 0): "factor",
    **{("update", step): f"update {step}" for step in STEPS},
    **{("bias update", step): f"bias {step}" for step in STEPS},
    ("decay", 0): "decay",
    ("logits", 0): "logits",
    **{("logit change", step): f"logits {step}" for step in STEPS},
    ("branch", 0): "branch",
}
# Columns that are there only where no other tells that their quantity fails.
IF_FAILED = {
    *(("bias update", step) for step in STEPS),
    ("logit change", STEPS[0]),
    ("factor", 0),
}
IF_SHOWN = {  # lines of the legend
    "bias": "bias N: the change of the output by the vectors of a module that has matrices",
    "factor": "factor: what multiplies its output on the way to other modules or to the end",
}
LEGEND = (
    "output: over the input, at the start; update N: the change of the output by the module's own",
    "matrices in N steps; decay: the share of the weights that decay takes in a step; logits: of",
    "attention at the start, and their change in N steps; branch: its output over the depth, not",
    "the width. Right is 0; less is, too, for logits and for outputs of readouts and routers; for",
    "branches, and logits of heads that grow, at most -0.5. ! fails: its interval is off by more",
    "than a quarter, without the smallest width, too (an update that falls: from -0.45 on); ? only",
    "its value is, or only with the smallest width",
)


def _table(found: Checked) -> Iterator[str]:
    """A row for modules that differ in the numbers of their blocks only: the worst of them."""
    row_of = _rows(found)
    rows: dict[tuple[str, str], dict[tuple[str, int], Finding]] = {}
    for one in found.findings:
        quantity = one.quantity, one.step
        if quantity not in QUANTITIES:
            continue
        cells = rows.setdefault(row_of[one.module], {})
        if quantity not in cells or _badness(one) > _badness(cells[quantity]):
            cells[quantity] = one
    shown = [q for q in QUANTITIES if any(_is_shown(q, cells) for cells in rows.values())]
    table = [("module", "role", *(QUANTITIES[q] for q in shown))]
    table += [
        (module, role or "–", *(_cell(cells.get(q)) for q in shown))
        for (module, role), cells in rows.items()
        if cells.keys() & {*shown}
    ]
    yield from aligned(table, 2)


def _is_shown(column: tuple[str, int], cells: Mapping[tuple[str, int], Finding]) -> bool:
    """Whether the table needs a column for a row."""
    if column not in IF_FAILED or column not in cells:
        return column in cells
    others = [q for q in cells if q[0] == column[0] and q not in IF_FAILED]
    if not others:
        return cells[column].status != PASS
    return cells[column].status == FAIL and all(cells[q].status != FAIL for q in others)


def _badness(one: Finding) -> tuple[int, float]:
    return (list(MARKS).index(one.status), abs(one.excess))


def _cell(one: Finding | None) -> str:
    return "" if one is None else f"{one.slope.value:+.2f}{MARKS[one.status] or ' '}"


def plain(spec: RunSpec, found: Checked) -> dict[str, Any]:
    """The check as values that JSON can hold."""
    return {
        "verdict": FAIL if found.failed else PASS,
        "run": spec.plain(),
        "widths": found.widths,
        "depths": found.depths,
        "routers": found.routers,
        "faults": found.faults,
        "notes": found.notes,
        "suspects": [
            {"module": one.module, "quantity": one.quantity, "text": text}
            for one, text in suspects(found.findings)
        ],
        "over_width": _plain(found.over_width),
        "over_depth": _plain(found.over_depth),
    }


def _plain(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    return [asdict(one) for one in findings]
