"""Seconds of an optimizer's step on a small GPT's parameters, and the public implementations'."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import pytorch_optimizer
import torch
from tests.benchmarks.bench_decoder import BETAS, spec_of
from tests.benchmarks.rows import row

from hypertransfer.catalogue import complete, lookup
from hypertransfer.runs.spec import RunSpec
from hypertransfer.training import build, data_sets
from hypertransfer.training.loop import reproducible

SHAPE = (128, 4)  # width, depth
STEPS, ROUNDS = 20, 7
OURS = {
    "adamw": {"name": "adamw", "betas": list(BETAS)},
    "lion": "lion",
    "sophia": "sophia",
    "signum": "signum",
    "muon": "muon",
    "scion": "scion",
}


def run() -> list[dict]:
    """Nanoseconds a parameter and step: each optimizer here against others of the same style."""
    reproducible()
    times, count = _times()
    each = {name: 1e9 * seconds / count for name, seconds in times.items()}
    pairs = [
        ("adamw (fused) against torch's foreach", "adamw", "torch AdamW, foreach", None),
        ("lion (foreach) against torch's AdamW, foreach", "lion", "torch AdamW, foreach", None),
        ("sophia (foreach) against torch's AdamW, foreach", "sophia", "torch AdamW, foreach", None),
        ("signum against pytorch_optimizer's Lion", "signum", "lion", None),
        ("muon against torch's Muon and AdamW", "muon", "torch Muon and AdamW", 1.0),
        ("scion against pytorch_optimizer's Scion", "scion", "pytorch_optimizer Scion", 1.0),
        ("scion against torch's AdamW, fused", "scion", "adamw", None),
    ]
    return [
        row(f"step of {text}", each[ours], each[rival], target, "ns a parameter", "optimizer")
        for text, ours, rival, target in pairs
    ]


def _times() -> tuple[dict[str, float], int]:
    """Median seconds of a step of each, taken in turns, and the number of parameters."""
    makers: dict[str, Callable[[], tuple[torch.nn.Module, Callable[[], object]]]] = {
        name: lambda given=given: _ours(given) for name, given in OURS.items()
    }
    makers["torch AdamW, foreach"] = lambda: _of(
        lambda p: [torch.optim.AdamW([*p.values()], betas=BETAS, foreach=True)]
    )
    makers["torch Muon and AdamW"] = lambda: _of(_torch_muon)
    makers["pytorch_optimizer Scion"] = lambda: _of(
        lambda p: [pytorch_optimizer.SCION([x for x in p.values() if x.ndim == 2])]
    )
    made = {name: make() for name, make in makers.items()}
    found: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(ROUNDS):  # in turns, so that the machine's moods hit all alike
        for name, (_, step) in made.items():
            started = time.perf_counter()
            for _ in range(STEPS):
                step()
            found[name].append((time.perf_counter() - started) / STEPS)
    network = next(iter(made.values()))[0]
    return {k: median(v) for k, v in found.items()}, sum(p.numel() for p in network.parameters())


def _network(optimizer: object) -> tuple[RunSpec, torch.nn.Module, list]:
    plain = spec_of(*SHAPE).plain()
    table = "mup" if optimizer in ("lion", "sophia") else "completed_p"
    spec = complete.run_spec({**plain, "optimizer": optimizer, "parameterisation": table})
    network, rows = build.drawn_model(spec, data_sets.samples(spec), lookup.table(spec))
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    return spec, network, rows


def _ours(given: object) -> tuple[torch.nn.Module, Callable[[], object]]:
    spec, network, rows = _network(given)
    optimizer = build.optimizer(spec, network, rows)
    if given == "sophia":  # an estimate at every tenth step is a pass of the network, not of this
        optimizer.observe(0, network, None, None, None, 0)
    return network, optimizer.step


def _of(make: Callable[[dict], list]) -> tuple[torch.nn.Module, Callable[[], object]]:
    _, network, _ = _network("muon")
    optimizers = make(dict(network.named_parameters()))
    return network, lambda: [one.step() for one in optimizers]


def _torch_muon(parameters: dict) -> list[torch.optim.Optimizer]:
    """As its documentation says: hidden matrices by Muon, all else by AdamW."""
    rows = _network("muon")[2]
    hidden = {row_.name for row_ in rows if row_.role == "hidden"}
    rest = [p for name, p in parameters.items() if name not in hidden]
    return [
        torch.optim.Muon([parameters[name] for name in hidden]),
        torch.optim.AdamW(rest, betas=BETAS, foreach=True),
    ]
