"""LMO optimizers: oracles against other solvers, laws, and the optimizers they are to equal."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from tests.support.parts import optimizer as optimizer_of

from hypertransfer.catalogue.cards import lmo_presets, optimizers
from hypertransfer.catalogue.cards.lmo_presets import NEWTON_SCHULZ
from hypertransfer.optimizers import lmo, norms
from hypertransfer.optimizers.norms import Iteration

PLACES = {  # stored shapes
    "input": (6, 4),
    "one_hot": (5, 6),
    "hidden": (6, 4),
    "output": (3, 8),
    "conv": (6, 4, 3, 3),
}
MATRIX_NORMS = [name for name in norms.NORMS if name != "rms"]
EXACT = Iteration(0)
SPECTRAL = ("spectral", "keller", "moonlight")


def drawn(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def stacked(kind, shape=None, seed=0):
    """A place, and a random stored parameter there as a stack of one matrix."""
    shape = shape or PLACES[kind]
    at = norms.matrix_shape("hidden" if kind == "conv" else kind, shape)
    return at, norms.as_matrices(drawn((1, *shape), seed), at)


# Oracles -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("name", MATRIX_NORMS)
def test_an_lmo_lies_on_the_sphere_and_below_all_else_in_the_ball(name, kind):
    at, gradient = stacked(kind)
    step = norms.lmo(name, at, gradient, iteration=EXACT)
    assert norms.size(name, at, step).item() == pytest.approx(1, rel=1e-4)
    least = (gradient * step).sum()
    for seed in range(1, 30):
        other = stacked(kind, seed=seed)[1]
        other = other / norms.size(name, at, other)
        assert (gradient * other).sum() >= least - 1e-4 * least.abs()


@pytest.mark.parametrize("name", ["sign", "max"])
def test_sign_descent_solves_the_linear_program(name):
    at, gradient = stacked("output", (3, 4))
    bound = norms.NORMS[name].scale(at)
    solved = linprog(gradient.flatten().double().numpy(), bounds=[(-bound, bound)] * 12)
    assert (gradient * norms.lmo(name, at, gradient)).sum().item() == pytest.approx(solved.fun)


def test_the_dual_of_the_spectral_norm_is_the_sum_of_singular_values():
    at, gradient = stacked("hidden", (6, 4))
    reached = (gradient * norms.lmo("spectral", at, gradient, iteration=EXACT)).sum().item()
    singular = np.linalg.svd(gradient[0].double().numpy(), compute_uv=False)
    assert reached == pytest.approx(-math.sqrt(6 / 4) * singular.sum(), rel=1e-5)


@pytest.mark.parametrize(("name", "axis"), [("col", 0), ("row", 1)])
def test_the_dual_of_the_longest_vector_is_the_sum_of_lengths(name, axis):
    at, gradient = stacked("hidden", (6, 4))
    lengths = np.linalg.norm(gradient[0].double().numpy(), axis=axis).sum()
    factor = math.sqrt(6) / 4 if name == "col" else 1 / math.sqrt(4)
    reached = (gradient * norms.lmo(name, at, gradient)).sum().item()
    assert reached == pytest.approx(-factor * lengths, rel=1e-5)


def test_scales_are_those_of_the_paper():
    """Pethick et al. 2502.07529, Tables 2 to 4, and the authors' code for convolutions."""
    wide, one_hot = norms.matrix_shape("input", (3, 12)), norms.matrix_shape("one_hot", (10, 16))
    hidden, output = norms.matrix_shape("hidden", (32, 8)), norms.matrix_shape("output", (3, 8))
    conv = norms.matrix_shape("hidden", (32, 8, 3, 3))
    expected = {
        ("spectral", wide): 1.0,
        ("spectral", one_hot): 4.0,
        ("col", one_hot): 4.0,
        ("sign", one_hot): 1.0,
        ("spectral", hidden): 2.0,
        ("spectral", conv): 2 / 9,
        ("sign", output): 1 / 8,
        ("row", output): 8**-0.5,
        ("spectral", output): (3 / 8) ** 0.5,
        ("col", hidden): 32**0.5 / 8,
        ("row", wide): 1.0,
        ("max", hidden): 1.0,
        ("keller", hidden): 2.0,
        ("keller", output): 1.0,
        ("moonlight", hidden): 0.2 * 32**0.5,
    }
    found = {key: norms.NORMS[key[0]].scale(key[1]) for key in expected}
    assert found == pytest.approx(expected)


def test_a_token_moves_by_a_vector_of_rms_one():
    at, gradient = stacked("one_hot", (10, 16))
    step = norms.as_stored(norms.lmo("col", at, gradient), at, (10, 16))[0]
    assert step.square().mean(dim=1).sqrt().tolist() == pytest.approx([1.0] * 10)


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from([*MATRIX_NORMS, "rms"]),
    kind=st.sampled_from([*PLACES]),
    log_scale=st.floats(-6, 6),
    seed=st.integers(0, 99),
)
def test_the_size_of_a_gradient_does_not_matter(name, kind, log_scale, seed):
    at, gradient = stacked(kind, seed=seed)
    step = norms.lmo(name, at, gradient, iteration=EXACT)
    scaled = norms.lmo(name, at, gradient * 10**log_scale, iteration=EXACT)
    torch.testing.assert_close(scaled, step, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["col", "row", "frobenius", "rms"])
@pytest.mark.parametrize("power", [-44, -40, -30, -24, -22, 30])
def test_nor_does_it_where_squares_leave_the_range_of_floats(name, power):
    at, gradient = stacked("hidden")
    gradient = (gradient.double() * 10.0**power).float()
    expected = norms.lmo(name, at, gradient.double() / 10.0**power)
    torch.testing.assert_close(norms.lmo(name, at, gradient), expected.float())


@pytest.mark.parametrize("steps", [0, 5])
@pytest.mark.parametrize("name", [*norms.NORMS])
def test_no_gradient_no_step(name, steps):
    at, gradient = stacked("hidden")
    step = norms.lmo(name, at, torch.zeros_like(gradient), Iteration(steps))
    assert torch.equal(step, torch.zeros_like(step))


@pytest.mark.parametrize("name", ["spectral", "sign", "col", "row"])
@pytest.mark.parametrize("width", [32, 64, 128, 256])
def test_a_step_changes_features_alike_at_every_width(name, width):
    """The RMS of ΔW x for inputs x that the gradient is made of: at most 1, and not near 0."""
    x = torch.sign(drawn((width,)))
    gradient = torch.outer(drawn((width,), 1), x)[None]
    at = norms.matrix_shape("hidden", (width, width))
    moved = (norms.lmo(name, at, gradient, iteration=EXACT)[0] @ x).square().mean().sqrt().item()
    assert 0.5 < moved <= 1.01


def test_naive_sign_descent_does_not():
    sizes = []
    for width in (32, 256):
        x = torch.sign(drawn((width,)))
        gradient = torch.outer(drawn((width,), 1), x)[None]
        step = norms.lmo("max", norms.matrix_shape("hidden", (width, width)), gradient)[0]
        sizes.append((step @ x).square().mean().sqrt().item())
    assert sizes[1] / sizes[0] == pytest.approx(8, rel=1e-5)


@pytest.mark.parametrize("shape", [(256, 1024), (1024, 256), (64, 128)])
def test_newton_schulz_brings_singular_values_near_one(shape):
    found = norms.orthogonalised(drawn((2, *shape)))
    singular = torch.linalg.svdvals(found)
    assert singular.min() > 0.6
    assert singular.max() < 1.25


def test_newton_schulz_is_that_of_torch():
    from torch.optim._muon import _zeropower_via_newtonschulz

    for shape in ((32, 64), (64, 32)):
        matrix = drawn(shape)
        theirs = _zeropower_via_newtonschulz(matrix, NEWTON_SCHULZ, 5, 1e-7).float()
        torch.testing.assert_close(norms.orthogonalised(matrix[None])[0], theirs, rtol=0, atol=0.02)


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("name", MATRIX_NORMS)
def test_draws_lie_on_the_sphere_and_follow_their_generator(name, kind):
    at = norms.matrix_shape("hidden" if kind == "conv" else kind, PLACES[kind])
    draws = [
        norms.boundary(name, at, PLACES[kind], torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    ]
    assert draws[0].shape == PLACES[kind]
    matrix = norms.as_matrices(draws[0][None], at)
    assert norms.size(name, at, matrix).item() == pytest.approx(1, rel=1e-4)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


# Optimizers --------------------------------------------------------------------------------

SHAPES = {"input": (8, 4), "one_hot": (5, 8), "hidden": (8, 8), "output": (3, 8), "vector": (8,)}


def parameters(seed=0):
    return {name: torch.nn.Parameter(drawn(shape, seed)) for name, shape in SHAPES.items()}


def groups(found, lr=0.1, weight_decay=0.0):
    return [
        {
            "params": [parameter],
            "lr": lr,
            "weight_decay": weight_decay,
            "eps": 1e-8,
            "betas": (0.9, 0.95),
            "role": "input" if name == "one_hot" else name,
            "one_hot": name == "one_hot",
        }
        for name, parameter in found.items()
    ]


def run(found, optimizer, steps=6, seed=100):
    """Updates by random gradients, the same for the same seed."""
    for step in range(steps):
        optimizer.zero_grad()
        for index, parameter in enumerate(found.values()):
            gradient = drawn(parameter.shape, seed + 17 * step + index)
            if parameter.grad is None:
                parameter.grad = gradient
            else:
                parameter.grad += gradient
        optimizer.step()
    return [p.detach().clone() for p in found.values()]


def ran(steps=6, lr=0.1, weight_decay=0.0, **options):
    found = parameters()
    return run(
        found,
        optimizer_of(options.pop("preset"), groups(found, lr, weight_decay), **options),
        steps,
    )


def test_presets_and_norms_are_those_of_the_cards():
    assert tuple(lmo.PRESETS) == lmo_presets.LMO_PRESETS
    assert {*norms.NORMS} - {"rms"} == {*lmo_presets.NORMS}
    assert {*optimizers.OPTIMIZERS} >= {*lmo.PRESETS}
    for row in lmo.PRESETS.values():
        assert {row.input, row.one_hot, row.hidden, row.output, row.vector} <= {
            *norms.NORMS,
            lmo.ADAMW,
            lmo.JOINT,
        }


@pytest.mark.parametrize(
    ("preset", "theirs"), [("muon", "original"), ("moonlight", "match_rms_adamw")]
)
def test_muon_is_that_of_torch(preset, theirs):
    found, reference = parameters(), parameters()
    ours = optimizer_of(preset, groups(found, weight_decay=0.1))
    run(found, ours)
    muon = torch.optim.Muon(
        [reference["hidden"]], lr=0.1, weight_decay=0.1, momentum=0.95, adjust_lr_fn=theirs
    )
    rest = [p for name, p in reference.items() if name != "hidden"]
    adam = torch.optim.AdamW(rest, lr=0.1, weight_decay=0.1, betas=(0.9, 0.95))

    class Both:
        def zero_grad(self):
            muon.zero_grad()
            adam.zero_grad()

        def step(self):
            muon.step()
            adam.step()

    run(reference, Both())
    for name, parameter in found.items():
        tolerance = 0.02 if name == "hidden" else 1e-5  # six steps in bfloat16
        torch.testing.assert_close(parameter, reference[name], rtol=0, atol=tolerance)


def test_steepest_descent_in_the_euclidean_norm_is_sgd():
    found, reference = parameters(), parameters()
    run(found, optimizer_of("normalized_sgd", groups(found), form="steepest", momentum=0.9))
    sgd = torch.optim.SGD(reference.values(), lr=0.1, momentum=0.9, dampening=0.9)
    # torch's first average is the gradient itself, and ours a tenth of it
    for step in range(6):
        sgd.zero_grad()
        for index, parameter in enumerate(reference.values()):
            parameter.grad = drawn(parameter.shape, 100 + 17 * step + index)
            if step == 0:
                sgd.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        sgd.step()
    for ours, theirs in zip(found.values(), reference.values(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_normalised_sgd_moves_the_whole_network_by_the_learning_rate():
    before, after = [p.detach() for p in parameters().values()], ran(1, preset="normalized_sgd")
    moved = math.sqrt(
        sum(float((a - b).square().sum()) for a, b in zip(after, before, strict=True))
    )
    assert moved == pytest.approx(0.1, rel=1e-4)


def test_signum_is_the_sign_of_the_average():
    found = parameters()
    start = found["hidden"].detach().clone()
    run(found, optimizer_of("signum", groups(found), momentum=0.5), steps=2)
    first, second = drawn((8, 8), 100 + 2), drawn((8, 8), 100 + 17 + 2)
    expected = start - 0.1 * first.sign() - 0.1 * (0.25 * first + 0.5 * second).sign()
    torch.testing.assert_close(found["hidden"].detach(), expected)


def test_a_clipped_step_is_steepest_where_gradients_are_small_and_unit_where_they_are_large():
    for clip, form in ((1e9, "steepest"), (1.0, "unconstrained")):
        for a, b in zip(
            ran(form="clipped", clip=clip, preset="scion"),
            ran(form=form, preset="scion"),
            strict=True,
        ):
            torch.testing.assert_close(a, b)


@settings(max_examples=15, deadline=None)
@given(
    steps=st.integers(1, 6),
    momentum=st.floats(0, 0.99),
    form=st.sampled_from(["unconstrained", "constrained"]),
    preset=st.sampled_from(["signum", "all_col", "all_row", "lars", "all_sign"]),
)
def test_the_light_form_takes_the_same_steps(steps, momentum, form, preset):
    options = {"preset": preset, "form": form, "momentum": momentum, "steps": steps}
    for a, b in zip(ran(**options, light=True), ran(**options), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_the_light_form_takes_the_same_steps_but_for_rounding_in_newton_schulz():
    for a, b in zip(ran(light=True, preset="scion"), ran(preset="scion"), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0.02)  # six steps in bfloat16


def test_the_light_form_keeps_the_average_when_gradients_are_set_to_zero():
    found = parameters()
    optimizer = optimizer_of("all_sign", groups(found), light=True)
    run(found, optimizer, 1)
    before = [p.grad.clone() for p in found.values()]
    optimizer.zero_grad(set_to_none=False)
    for parameter, gradient in zip(found.values(), before, strict=True):
        torch.testing.assert_close(parameter.grad, 0.9 * gradient)


def test_a_token_that_is_no_longer_seen_never_moves_faster():
    """Its average falls by a tenth a step; after 400 steps its squares are below all floats."""
    tokens = torch.nn.Parameter(torch.zeros(2, 8))
    optimizer = optimizer_of("scion", groups({"one_hot": tokens}, lr=1.0))
    for step in range(1100):
        tokens.grad = drawn((2, 8), step) * 1e-3
        tokens.grad[1] *= step == 0
        before = tokens.detach().clone()
        optimizer.step()
        moved = (tokens.detach() - before).square().mean(dim=1).sqrt()
        assert moved[0].item() == pytest.approx(1, rel=1e-3)
        assert moved[1].item() < 1.001


def test_the_light_form_holds_no_buffer_beside_the_gradient():
    found = parameters()
    optimizer = optimizer_of("scion", groups(found), light=True)
    run(found, optimizer)
    assert all(optimizer.state[p]["average"] is p.grad for p in found.values())


@settings(max_examples=20, deadline=None)
@given(
    lr=st.floats(1e-3, 1.0),
    radius=st.floats(0.1, 20),
    steps=st.integers(1, 5),
    preset=st.sampled_from(["all_sign", "all_col", "all_row"]),
)
def test_the_constrained_form_stays_in_the_ball(lr, radius, steps, preset):
    radii = dict.fromkeys(("input", "hidden", "output", "vector"), radius)
    found = parameters()
    draw = lmo.boundary(preset, radii=radii)
    for name in ("input", "one_hot", "hidden", "output"):
        role = "input" if name == "one_hot" else name
        weight = draw(role, name == "one_hot", SHAPES[name], torch.Generator().manual_seed(1))
        found[name].data.copy_(weight)
    optimizer = optimizer_of(preset, groups(found, lr), radii=radii, form="constrained")
    run(found, optimizer, steps)
    for name in ("input", "one_hot", "hidden", "output"):
        at = norms.matrix_shape(name, SHAPES[name])
        matrix = norms.as_matrices(found[name].detach()[None], at)
        assert norms.size(lmo.PRESETS[preset].at(name), at, matrix).item() <= radius * (1 + 1e-4)


def test_radii_and_decay():
    still = [p.detach() for p in parameters().values()]
    once, thrice = ran(1, preset="scion"), ran(1, preset="scion", radii={"hidden": 3.0})
    moved = [(a - b).abs().max() for a, b in zip(once, still, strict=True)]
    further = [(a - b).abs().max() for a, b in zip(thrice, still, strict=True)]
    assert torch.stack(further).div(torch.stack(moved)).tolist() == pytest.approx([1, 1, 3, 1, 1])
    decayed = ran(1, preset="scion", weight_decay=0.5)
    for a, b, c in zip(once, decayed, still, strict=True):
        torch.testing.assert_close(a - b, 0.05 * c, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("light", [False, True])
@pytest.mark.parametrize("preset", ["scion", "normalized_sgd"])
def test_a_state_that_is_loaded_goes_on_alike(preset, light):
    halves = parameters()
    optimizer = optimizer_of(preset, groups(halves), light=light)
    run(halves, optimizer, 3)
    later = {name: torch.nn.Parameter(p.detach().clone()) for name, p in halves.items()}
    again = optimizer_of(preset, groups(later), light=light)
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for a, b in zip(run(later, again, 3, 900), run(halves, optimizer, 3, 900), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"form": "sideways"}, "not one of unconstrained"),
        ({"light": True, "nesterov": True}, "without nesterov"),
        ({"light": True, "form": "clipped"}, "without nesterov"),
    ],
)
def test_what_does_not_go_together_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        optimizer_of("scion", groups(parameters()), **options)


# Experts ------------------------------------------------------------------------------------


def test_each_expert_is_orthogonalised_by_itself():
    """A stack of experts moves as so many matrices on their own would."""
    stack = drawn((3, 6, 4))
    at = norms.matrix_shape("expert", (3, 6, 4))
    together = norms.as_stored(
        norms.lmo("keller", at, norms.as_matrices(stack[None], at)), at, (3, 6, 4)
    )[0]
    alone = norms.matrix_shape("hidden", (6, 4))
    for expert, step in zip(stack, together, strict=True):
        (one,) = norms.lmo("keller", alone, norms.as_matrices(expert[None], alone))
        torch.testing.assert_close(step, one)


def test_experts_on_the_boundary_have_norm_one_each():
    generator = torch.Generator().manual_seed(0)
    at = norms.matrix_shape("expert", (3, 6, 4))
    weight = norms.boundary("spectral", at, (3, 6, 4), generator)
    sizes = norms.size("spectral", at, norms.as_matrices(weight[None], at))
    torch.testing.assert_close(sizes, torch.ones(3))


@pytest.mark.parametrize(("name", "router"), [("muon", "adamw"), ("scion", "sign")])
def test_routers_are_updated_as_outputs_unless_said_otherwise(name, router):
    assert lmo.preset(name).at(lmo.kind("router", False)) == router
    assert lmo.preset(name, {"router": "keller"}).at("router") == "keller"
    assert lmo.preset(name).at(lmo.kind("expert_down", False)) == lmo.preset(name).hidden


def test_coefficients_that_converge_come_near_the_polar_factor():
    matrix = drawn((1, 8, 8)) + 2 * torch.eye(8)
    exact = norms.orthogonalised(matrix, EXACT)
    slow = norms.orthogonalised(matrix, Iteration(20, (15 / 8, -10 / 8, 3 / 8)))
    torch.testing.assert_close(slow, exact, atol=0.03, rtol=0)  # in bfloat16
    assert (norms.orthogonalised(matrix) - exact).abs().max() > 0.03  # Jordan's do not converge
