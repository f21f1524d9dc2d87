"""The engine: deterministic, faithful to hand-written loops, honest about divergence."""

import itertools
import math
import subprocess
import sys

import pytest
import torch
from tests.support.synthetic import TRAIN, Watching, images, run, spec
from torch.nn import functional as F

from hypertransfer.catalogue import lookup
from hypertransfer.data.samples import batches
from hypertransfer.runs.spec import Schedule
from hypertransfer.training import build, data_sets, evaluation, loop
from hypertransfer.training.loop import History, Scheduler, final_loss
from hypertransfer.training.state import PRECONDITIONER

pytestmark = pytest.mark.usefixtures("synthetic")

ADAMW = {"optimizer": {"name": "adamw", "betas": [0.8, 0.95], "eps": 1e-3}, "lr": 0.01}
WATCHING = {
    "model": "synthetic_parts:Watching",
    "optimizer": "sgd",
    "shape": {"width": 12, "depth": 1},
}


def same(a, b):
    """Whether two histories are bit-equal; a column that was not measured is NaN on both sides."""
    return repr(a) == repr(b)


# Determinism -------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, ADAMW], ids=["sgd", "adamw"])
def test_a_spec_means_one_result_bit_for_bit(options):
    first = run(checkpoints=[40], **options)
    torch.manual_seed(99)  # no global state may matter
    torch.randn(17)
    second = run(checkpoints=[40], **options)
    assert same(first.history, second.history)
    for name, p in first.checkpoints[40].items():
        assert torch.equal(p, second.checkpoints[40][name])
    assert first.parameters == second.parameters
    assert first.final_loss == second.final_loss


def unsettle() -> None:
    """Change all of torch's settings that change numbers."""
    torch.set_num_threads(3)
    torch.use_deterministic_algorithms(False)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_grad_enabled(False)
    torch.set_flush_denormal(True)
    torch.set_float32_matmul_precision("medium")
    torch.backends.mkldnn.enabled = False
    torch.backends.cuda.enable_flash_sdp(False)
    torch.set_autocast_enabled("cpu", True)
    torch.set_autocast_enabled("cuda", True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.backends.opt_einsum.enabled = False
    torch.backends.mkldnn.fp32_precision = "bf16"
    torch.backends.mkldnn.conv.fp32_precision = "bf16"
    torch.backends.mkldnn.rnn.fp32_precision = "bf16"
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_fp16_accumulation = True
    torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(True)
    torch.backends.cudnn.deterministic = True
    torch.backends.mha.set_fastpath_enabled(False)


SETTINGS = """[
    torch.is_autocast_enabled("cpu"), torch.is_autocast_enabled("cuda"),
    torch.utils.deterministic.fill_uninitialized_memory,
    torch.backends.opt_einsum.enabled, torch.backends.opt_einsum.strategy,
    torch.backends.mkldnn.fp32_precision, torch.backends.mkldnn.conv.fp32_precision,
    torch.backends.mkldnn.rnn.fp32_precision, torch.backends.cudnn.conv.fp32_precision,
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction,
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction,
    torch.backends.cuda.matmul.allow_fp16_accumulation,
    torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed(),
    torch.backends.cudnn.deterministic, torch.backends.mha.get_fastpath_enabled(),
]"""


@pytest.fixture
def unsettled():
    """A function that changes torch's settings, which are restored after the test."""
    loop.reproducible()
    yield unsettle
    loop.reproducible()


def test_settings_of_torch_change_no_run(unsettled):
    plain = run(checkpoints=[40])
    unsettled()
    data_sets._data.cache_clear()
    other = run(checkpoints=[40])
    assert same(plain.history, other.history)
    assert plain.parameters == other.parameters
    for name, p in plain.checkpoints[40].items():
        assert p.dtype == other.checkpoints[40][name].dtype == torch.float32
        assert torch.equal(p, other.checkpoints[40][name])
    assert torch.get_default_dtype() == torch.float32
    assert torch.get_float32_matmul_precision() == "highest"
    assert torch.get_num_threads() == 1
    assert torch.backends.mkldnn.enabled
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.backends.cuda.flash_sdp_enabled()


def test_a_run_has_the_settings_of_a_new_process(unsettled):
    command = [sys.executable, "-c", f"import torch; print({SETTINGS})"]
    expected = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    unsettled()
    assert str(eval(SETTINGS)) != expected.strip()
    run(steps=1)
    assert str(eval(SETTINGS)) == expected.strip()


def test_a_module_that_changes_torch_at_its_import_changes_no_run(unsettled, monkeypatch, tmp_path):
    """The module is imported in the first run of a process only; both runs are as without it."""
    (tmp_path / "loud_parts.py").write_text(
        "import torch\n"
        "from tests.support.synthetic import Watching\n"
        "torch.set_default_dtype(torch.float64)\n"
        "torch.set_default_device('meta')\n"
        "class Network(Watching): pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    quiet = run(**WATCHING)
    first, second = (run(**{**WATCHING, "model": "loud_parts:Network"}) for _ in range(2))
    monkeypatch.delitem(sys.modules, "loud_parts")
    assert same(first.history, quiet.history)
    assert same(second.history, quiet.history)


def test_another_seed_is_another_run():
    assert not same(run(seed=3).history, run(seed=4).history)


def test_probing_logging_and_keeping_weights_do_not_change_the_training():
    """What is recorded decides nothing: the last weights are bit-equal."""
    plain = run(checkpoints=[40], log_every=40)
    busy = run(checkpoints=[0, 7, 40], log_every=1, eval_every=3)
    for name, p in plain.checkpoints[40].items():
        assert torch.equal(p, busy.checkpoints[40][name])
    assert plain.flops == busy.flops > 0


# Order of the data -------------------------------------------------------------------------


def seen(**values):
    """Numbers of the samples in each training batch."""
    Watching.seen = []
    run(**{**WATCHING, **values})
    return Watching.seen[-values.get("steps", 40) :]  # without those of the trial pass


def test_batches_come_in_the_same_order_at_every_width_and_under_every_table():
    expected = [index.tolist() for index in itertools.islice(batches(TRAIN, 16, 3), 40)]
    for width in (4, 16, 64):
        assert seen(shape={"width": width, "depth": 1}, lr=0.001) == expected
    assert seen(parameterisation="sp", lr=0.001, weights="unit") == expected


def test_an_epoch_shows_every_sample_once():
    order = seen(lr=0.001)
    for epoch in range(40 // 6):
        flat = [i for batch in order[6 * epoch : 6 * epoch + 6] for i in batch]
        assert sorted(flat) == list(range(TRAIN))
    assert order[:6] != order[6:12]


def test_order_seed_orders_and_seed_draws():
    a, b = (run(seed=seed, order_seed=5, checkpoints=[0]) for seed in (0, 1))
    assert not torch.equal(a.checkpoints[0]["input.weight"], b.checkpoints[0]["input.weight"])
    same_order = [seen(seed=seed, order_seed=5, lr=0.001) for seed in (0, 1)]
    assert same_order[0] == same_order[1] != seen(seed=0, lr=0.001)


# Learning, against loops written by hand ---------------------------------------------------


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
@pytest.mark.parametrize("options", [{}, ADAMW], ids=["sgd", "adamw"])
def test_the_loss_falls_and_the_network_generalises(options, loss):
    result = run(steps=120, eval_every=60, loss=loss, **options)
    assert result.status == "finished"
    assert result.final_loss < 0.5 * result.history.train_loss[0]
    assert result.history.eval_accuracy[-1] > 0.8 > result.history.eval_accuracy[0]


def forward(w, x, multipliers, branch):
    """The residual MLP of `spec` in plain functions."""
    h = F.linear(x.flatten(1), w["input.weight"] * multipliers["input.weight"], w["input.bias"])
    for block in ("blocks.0.layers.1", "blocks.1.layers.1"):
        weight = w[f"{block}.weight"] * multipliers[f"{block}.weight"]
        h = h + branch * F.linear(F.relu(h), weight, w[f"{block}.bias"])
    weight = w["readout.weight"] * multipliers["readout.weight"]
    return F.linear(F.relu(h), weight, w["readout.bias"])


def sgd_step(w, g, state, row, step):
    """g + wd·w, heavy-ball momentum 0.9, w − lr·buf."""
    g = g + row["weight_decay"] * w
    state["buf"] = g if step == 0 else 0.9 * state["buf"] + g
    return w - row["lr"] * state["buf"]


def adamw_step(w, g, state, row, step):
    """Loshchilov & Hutter 1711.05101, with bias correction and betas (0.8, 0.95)."""
    w = w * (1 - row["lr"] * row["weight_decay"])
    m = state["m"] = 0.8 * state.get("m", 0) + 0.2 * g
    v = state["v"] = 0.95 * state.get("v", 0) + 0.05 * g * g
    m_hat, v_hat = m / (1 - 0.8 ** (step + 1)), v / (1 - 0.95 ** (step + 1))
    return w - row["lr"] * m_hat / (v_hat.sqrt() + row["eps"])


def by_hand(result, steps, update, branch):
    """Losses and last weights of a loop in float64 that knows the rows and the first weights."""
    rows = {row["name"]: row for row in result.parameters}
    multipliers = {name: row["multiplier"] for name, row in rows.items()}
    w = {name: p.double() for name, p in result.checkpoints[0].items()}
    states = {name: {} for name in w}
    data, losses = images(), []
    for step, index in enumerate(itertools.islice(batches(TRAIN, 16, 3), steps)):
        w = {name: p.detach().requires_grad_() for name, p in w.items()}
        output = forward(w, data.train_x[index].double(), multipliers, branch)
        loss = F.cross_entropy(output, data.train_y[index])
        gradients = torch.autograd.grad(loss, list(w.values()))
        losses.append(loss.item())
        with torch.no_grad():
            pairs = zip(list(w.items()), gradients, strict=True)
            w = {n: update(p, g, states[n], rows[n], step) for (n, p), g in pairs}
    return losses, w


@pytest.mark.parametrize(
    ("options", "update"), [({}, sgd_step), (ADAMW, adamw_step)], ids=["sgd", "adamw"]
)
def test_training_is_the_hand_written_loop(options, update):
    result = run(checkpoints=[0, 40], **options)
    losses, w = by_hand(result, 40, update, branch=1 / math.sqrt(2))
    assert result.history.train_loss[1:] == pytest.approx(losses, rel=1e-4, abs=1e-6)
    kept = {n: p for n, p in result.checkpoints[40].items() if not n.startswith(PRECONDITIONER)}
    assert set(kept) == set(w)
    for name, p in kept.items():
        torch.testing.assert_close(p.double(), w[name].detach(), rtol=1e-5, atol=2e-6)
    with pytest.raises(AssertionError):  # twin: a loop that forgets the residual multiplier
        assert result.history.train_loss[1:] == pytest.approx(
            by_hand(result, 40, update, branch=1.0)[0], rel=1e-2
        )


# Schedule ----------------------------------------------------------------------------------


def test_warm_up_rises_linearly_to_each_groups_own_rate():
    parameters = [torch.zeros(1, requires_grad=True) for _ in range(2)]
    groups = [{"params": [p], "lr": lr} for p, lr in zip(parameters, (0.4, 2.0), strict=True)]
    optimizer = torch.optim.SGD(groups)
    scheduler, rates = Scheduler(optimizer, Schedule("constant", 4), 7), []
    for step in range(7):
        scheduler.before(step)
        rates.append([group["lr"] for group in optimizer.param_groups])
    assert [rate[0] for rate in rates] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4, 0.4])
    assert [rate[1] for rate in rates] == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0, 2.0, 2.0])


def test_without_warm_up_the_rate_is_constant_from_the_first_step():
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.3)
    scheduler = Scheduler(optimizer, Schedule("constant", 0), 3)
    for step in range(3):
        scheduler.before(step)
        assert optimizer.param_groups[0]["lr"] == 0.3


def test_warm_up_shrinks_the_first_update():
    def first_update(**values):
        kept = run(steps=1, checkpoints=[0, 1], weight_decay=0.0, **values).checkpoints
        return kept[1]["input.weight"] - kept[0]["input.weight"]

    full, warm = first_update(), first_update(schedule={"warmup": 8})
    assert full.abs().max() > 1e-4
    torch.testing.assert_close(8 * warm, full, rtol=1e-3, atol=1e-5)


# Records -----------------------------------------------------------------------------------


def test_checkpoints_lie_before_the_first_update_and_after_the_last():
    result = run(checkpoints=[0, 3, 40])
    assert sorted(result.checkpoints) == [0, 3, 40]
    values = spec()
    fresh, _ = build.drawn_model(values, images(), lookup.table(values))
    for name, p in fresh.named_parameters():
        assert torch.equal(result.checkpoints[0][name], p)
    for step in (3, 40):  # a run that ends there leaves the same weights, after its last update
        shorter = run(steps=step, checkpoints=[step])
        for name, p in shorter.checkpoints[step].items():
            assert torch.equal(result.checkpoints[step][name], p)


def test_checkpoints_are_copies():
    kept = run(checkpoints=[0, 1]).checkpoints
    assert not torch.equal(kept[0]["readout.weight"], kept[1]["readout.weight"])


def test_train_loss_is_the_mean_over_the_steps_since_the_last_record():
    every, tenth = run().history, run(log_every=8).history
    assert tenth.step == [0, 8, 16, 24, 32, 40]
    assert every.step == list(range(41))
    assert tenth.train_loss[0] == every.train_loss[0] == every.train_loss[1]
    for row, step in enumerate(tenth.step[1:], start=1):
        window = every.train_loss[step - 7 : step + 1]
        assert tenth.train_loss[row] == pytest.approx(sum(window) / 8, rel=1e-5)


def test_final_loss_is_the_mean_over_the_last_tenth():
    result = run()
    assert result.final_loss == pytest.approx(sum(result.history.train_loss[-4:]) / 4)
    losses = [9.0, 5.0, 4.0, 3.0, 2.0, 1.0]
    history = History(step=[0, 80, 85, 90, 95, 100], train_loss=losses)
    assert final_loss(history, 100) == 1.5  # the windows that end at 95 and 100
    assert final_loss(History(step=[0, 1], train_loss=[9.0, 8.0]), 1) == 8.0


def test_eval_is_over_the_whole_test_set_at_its_steps(monkeypatch):
    monkeypatch.setattr(
        evaluation, "EVAL_BATCH", 7
    )  # 50 test images, so that the last part is short
    result = run(eval_every=16, log_every=5, checkpoints=[0, 16, 40])
    history, data = result.history, images()
    values = spec()
    model, _ = build.drawn_model(values, data, lookup.table(values))
    measured = [i for i, loss in enumerate(history.eval_loss) if not math.isnan(loss)]
    assert [history.step[i] for i in measured] == [0, 16, 32, 40]
    for i in measured:
        if history.step[i] not in result.checkpoints:
            continue
        model.load_state_dict(result.checkpoints[history.step[i]])
        output = model(data.test_x)
        loss = F.cross_entropy(output, data.test_y).item()
        assert history.eval_loss[i] == pytest.approx(loss, rel=1e-5)
        accuracy = (output.argmax(1) == data.test_y).float().mean().item()
        assert history.eval_accuracy[i] == pytest.approx(accuracy)


def test_without_evaluations_on_the_way_there_is_one_at_the_end():
    """The numbers of training are those of a run that is evaluated at the start, too."""
    often, once = (run(eval_every=every) for every in (39, 40))
    assert all(map(math.isnan, once.history.eval_loss[:-1]))
    assert once.history.eval_loss[-1] == often.history.eval_loss[-1]
    assert not math.isnan(often.history.eval_loss[0])
    assert once.final_loss == often.final_loss


def test_progress_is_told_at_every_record():
    told = []
    values = spec(log_every=10)
    result = loop.train(values, lookup.table(values), progress=lambda *row: told.append(row))
    assert told == list(zip(result.history.step, result.history.train_loss, strict=True))[1:]


# Divergence --------------------------------------------------------------------------------


@pytest.mark.parametrize("lr", [1e3, 1e30])
@pytest.mark.parametrize("log_every", [1, 5])
def test_divergence_is_recorded_and_ends_the_run(lr, log_every):
    result = run(lr=lr, log_every=log_every, checkpoints=[0, 40])
    assert result.status == "diverged"
    assert result.final_loss is None
    assert result.steps_done == result.history.step[-1] < 40
    assert not result.history.train_loss[-1] <= 100 * result.history.train_loss[0]
    assert list(result.checkpoints) == [0]
    assert math.isnan(result.history.eval_loss[-1])


def test_a_run_whose_last_update_blows_up_has_diverged():
    result = run(steps=1, lr=1e38, checkpoints=[0, 1])
    assert result.status == "diverged"
    assert (result.steps_done, result.final_loss) == (1, None)
    assert list(result.checkpoints) == [0]


def test_the_bar_of_divergence_is_the_specs():
    """A loss that rises by a tenth and recovers: diverged below that bar, finished above it."""
    losses = run().history.train_loss
    rise = max(losses) / losses[0]
    assert 1.05 < rise < 1.5
    assert run(divergence=1.01 * rise).status == "finished"
    stopped = run(divergence=0.99 * rise)
    assert stopped.status == "diverged"
    assert stopped.steps_done == losses.index(max(losses))
