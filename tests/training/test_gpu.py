"""On a GPU runs and probes agree with those on a CPU, and runs continue bit for bit.

Skipped on a machine without a GPU. With `HYPERTRANSFER_LONG=1` all optimizer classes are tried.
"""

from __future__ import annotations

import pytest
import torch
from tests.optimizers.test_package_optimizers import TRIED
from tests.support import package_optimizers
from tests.support.package_optimizers import KEPT, MODELS, STEPS, trained
from tests.support.probes import CPU, measured
from tests.training import test_own_parts as own_networks
from tests.training.test_state import assert_bit_equal

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
GPU = torch.device("cuda")
TOLERANCE = 2e-3  # relative, of what single precision computes in another order
UNEQUAL = {"error", "products", "seconds"}  # columns that follow rounding
ON_IMAGES = [
    "hessian", "gauss_newton", "ntk", "trace", "alignment", "preconditioned", "features",
    "coordinates",
]  # fmt: skip
ON_THE_CPU = {"Averaging"}  # has a tensor that is no buffer, and therefore is not moved
ON_DECODERS = ["hessian", "routing", "attention", "coordinates"]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("optimizer", ["torch.optim:AdamW", "torch.optim:SGD"])
def test_the_first_losses_are_those_of_a_cpu(model, optimizer):
    run = package_optimizers.spec(optimizer, model, log_every=1, lr=0.001)
    ours, theirs = (trained(run, device=device).history for device in (GPU, CPU))
    assert ours.train_loss == pytest.approx(theirs.train_loss, rel=TOLERANCE)
    assert ours.eval_loss == pytest.approx(theirs.eval_loss, rel=TOLERANCE, nan_ok=True)


@pytest.mark.parametrize("model", MODELS)
def test_a_run_continues_bit_for_bit(model):
    run = package_optimizers.spec("torch.optim:AdamW", model)
    resumed = package_optimizers.resumed(run, after=KEPT + 1, device=GPU)
    assert_bit_equal(resumed, trained(run, device=GPU))


@pytest.mark.parametrize("name", TRIED)
def test_an_optimizer_continues_bit_for_bit(name):
    run = package_optimizers.spec(name)
    resumed = package_optimizers.resumed(run, after=KEPT + 1, device=GPU)
    whole = trained(run, device=GPU)
    assert_bit_equal(resumed, whole)
    more = trained(package_optimizers.spec(name, log_every=1, eval_every=1), device=GPU)
    last = package_optimizers.last_weights
    assert not package_optimizers.unequal(last(whole), last(more)), "evaluating changes the run"


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("model", [n for n in own_networks.NETWORKS if n not in ON_THE_CPU])
def test_a_network_of_a_user_continues_bit_for_bit(model):
    run = own_networks.spec(model)
    states = []
    whole = trained(run, device=GPU, save=lambda take: states.append(take().to_bytes()))
    own_networks.disturb(1)
    torch.cuda.manual_seed_all(7)
    state = own_networks.State.from_bytes(states[4])
    assert_bit_equal(trained(run, device=GPU, resume=state), whole)


@pytest.mark.parametrize(
    ("model", "probe"),
    [("mlp", probe) for probe in ON_IMAGES] + [("decoder", probe) for probe in ON_DECODERS],
)
def test_probes_agree_with_a_cpu(model, probe):
    run = package_optimizers.spec("torch.optim:AdamW", model, optimizer="adamw")
    kept = trained(run).checkpoints
    weights = {step: kept[step] for step in (0, STEPS)}
    ours, theirs = (
        measured(run, probe, weights, device=device, samples=16) for device in (GPU, CPU)
    )
    assert ours.keys() == theirs.keys()
    error = max([0.0, *numbers(ours.get("error")), *numbers(theirs.get("error"))])
    for name in theirs.keys() - UNEQUAL:
        expected = pytest.approx(
            numbers(theirs[name]), rel=2 * error + TOLERANCE, abs=1e-6, nan_ok=True
        )
        assert numbers(ours[name]) == expected, name


def numbers(column) -> list[float]:
    """All numbers of a column, whose values may be lists."""
    if isinstance(column, list | tuple):
        return [number for value in column for number in numbers(value)]
    return [] if column is None or isinstance(column, str) else [float(column)]
