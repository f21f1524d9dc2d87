"""Checks of a run's components: what is sound is accepted, and no value of an option stops them."""

from __future__ import annotations

from typing import Any

import pytest

from hypertransfer.catalogue import checks, complete
from hypertransfer.catalogue.cards.networks import MODELS
from hypertransfer.catalogue.cards.optimizers import OPTIMIZERS
from hypertransfer.runs.problem import ProblemError

RUN = {
    "model": "residual_mlp",
    "shape": {"width": 8, "depth": 2},
    "base": {"width": 8, "depth": 2},
    "parameterisation": "mup",
    "optimizer": "sgd",
    "lr": 0.1,
    "data": "digits",
    "batch_size": 16,
    "steps": 4,
    "seed": 0,
    "log_every": 1,
}
NO_OPTION_VALUES = (0, -1, "x", None, [], {}, 0.5)


def problems(**parts: Any) -> list[str]:
    """The problems of the small run with other parts."""
    return list(map(str, checks.objections(complete.run_spec({**RUN, **parts}))))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_is_accepted_with_its_defaults(optimizer):
    assert problems(optimizer=optimizer) == []


def test_radii_of_one_joint_norm_are_refused():
    refused = problems(optimizer={"name": "normalized_sgd", "radii": {"hidden": 2.0}})
    assert refused == [
        "optimizer.radii: {'hidden': 2.0} is not left out: "
        "normalized_sgd has one norm of all weights together"
    ]


def test_checkpoints_beyond_the_last_step_are_refused():
    assert problems(checkpoints=[0, 4]) == []
    assert problems(checkpoints=[0, 9, 5]) == [
        "checkpoints: [5, 9] is not within the run's 4 steps"
    ]


def test_a_batch_is_not_larger_than_the_training_samples():
    data = {"name": "digits", "train": 15}
    assert problems(data=data, batch_size=15) == []
    assert problems(data=data, batch_size=16) == [
        "batch_size: 16 is not at most 15, the number of training samples of digits"
    ]
    assert problems(batch_size=1440) == []
    assert len(problems(batch_size=1441)) == 1


def test_a_warm_up_ends_within_the_run():
    """With as many updates as the run, the last update has the peak learning rate."""
    assert problems(schedule={"warmup": 4}) == problems(schedule={"warmup": 0.9}) == []
    assert problems(schedule={"name": "cosine", "warmup": 10}) == [
        "schedule.warmup: 10 is not at most the run's 4 steps: the peak learning rate is never "
        "reached"
    ]


@pytest.mark.parametrize(
    ("model", "option"),
    [(name, option) for name, card in MODELS.items() for option in card.options],
)
def test_options_of_networks_of_any_type_and_size_are_problems_at_most(model, option):
    for value in NO_OPTION_VALUES:
        for data in ("digits", {"name": "state_of_the_union", "context": value}):
            problems(model={"name": model, option: value}, data=data)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    "source",
    [
        "class Net: ...",
        "def Net(**sizes): ...",
        "Net = print",
        "try:\n    import Net\nexcept ImportError:\n    pass",
        "if 1:\n    from somewhere import Other as Net\nelse:\n    Net = print",
        "from somewhere import *",
        "def __getattr__(name): ...",
        "globals().update(Net=1)",
        "def a(**k): ...\ndef b(**k): ...\nNet, Wide = a, b",
        "MODELS = {'net': (Net := print)}",
        "Net = None\nfrom impl import *",
        "Net = 3\ndef build():\n    global Net\n    Net = print\nbuild()",
        "Net = 3\nasync def Net(): ...",
        "Net = None",
    ],
)
def test_a_name_that_a_module_may_have_is_left_to_the_import(project, source):
    (project / "own_net.py").write_text(source, encoding="utf-8")
    assert problems(model="own_net:Net") == []


def test_a_name_that_a_module_never_binds_is_a_problem(project):
    (project / "own_net.py").write_text("class Net: ...", encoding="utf-8")
    expected = "model: 'own_net:Nett' is not found: own_net.py defines no 'Nett'"
    assert problems(model="own_net:Nett") == [expected]


def test_a_module_that_was_mended_is_read_again(project):
    source = project / "own_net.py"
    source.write_text("class Other: ...", encoding="utf-8")
    assert problems(model="own_net:Net")
    source.write_text("class Net: ...", encoding="utf-8")
    assert problems(model="own_net:Net") == []


def test_a_source_that_is_no_python_is_named_with_its_line(project):
    (project / "own_net.py").write_text("class Net:\n    def f(:", encoding="utf-8")
    (problem,) = problems(model="own_net:Net")
    assert problem.startswith("model: 'own_net:Net' is not readable: own_net.py, line 2: ")


NET = (
    "class Net:\n"
    "    def __init__(self, *, width, depth, input_shape, classes, inner_ratio=2{more}): ...\n"
    "class Same(Net): ...\n"
    "def load(train, noise=0.1): ...\n"
    "def make(groups, momentum): ...\n"
)


@pytest.mark.parametrize("name", ["Net", "Same"])
def test_options_of_an_own_network_are_those_of_its_signature(project, name):
    (project / "own_net.py").write_text(NET.format(more=""), encoding="utf-8")
    model = {"name": f"own_net:{name}"}
    assert problems(model=model) == problems(model={**model, "inner_ratio": 3}) == []
    assert problems(model={**model, "inner_rato": 3}) == [
        f"model.inner_rato: 3 is not accepted: own_net:{name} has no argument 'inner_rato'; "
        "it takes: inner_ratio; did you mean 'inner_ratio'?"
    ]
    assert problems(model={**model, "width": 3}) == [
        "model.width: 3 is not an option: the run's shape and data decide it"
    ]


@pytest.mark.parametrize("more", [", **rest", ", heads"])
def test_arguments_that_take_all_or_lack(project, more):
    (project / "own_net.py").write_text(NET.format(more=more), encoding="utf-8")
    found = problems(model={"name": "own_net:Net"})
    assert found == (["model: own_net:Net needs the option heads"] if "heads" in more else [])
    assert problems(model={"name": "own_net:Net", "heads": 2}) == []


@pytest.mark.parametrize(
    "source",
    [
        "import functools\n@functools.cache\ndef Net(width): ...",
        "from other import Base\nclass Net(Base): ...",
        "class Net:\n    def __init__(self, width): ...\nNet = wrap(Net)",
        "if True:\n    class Net:\n        def __init__(self, width): ...",
        "class Net:\n    def __new__(cls, **rest): ...\n    def __init__(self, width): ...",
    ],
)
def test_a_signature_that_is_not_certain_is_left_to_the_job(project, source):
    (project / "own_net.py").write_text(source, encoding="utf-8")
    assert problems(model={"name": "own_net:Net", "whatever": 1}) == []


@pytest.mark.parametrize("source", ["Net = 3", "Net: int = 3", "Net = {'width': 1}", "Net = []"])
def test_a_network_that_is_a_value_is_a_problem(project, source):
    (project / "own_net.py").write_text(source, encoding="utf-8")
    text = "model: own_net:Net is a value in own_net.py: name a class or a function"
    assert problems(model="own_net:Net") == [text]


@pytest.mark.parametrize(
    "source", ["class Net:\n    def __init__(self, w, d): ...", "def Net(w, d): ..."]
)
def test_a_network_that_does_not_take_what_it_is_called_with_is_a_problem(project, source):
    (project / "own_net.py").write_text(source, encoding="utf-8")
    text = (
        "model: own_net:Net takes no width, depth, input_shape, classes: a network is called with "
        "width, depth, input_shape, classes, by name; for one of a width and a depth alone write "
        "adopt: {} beside its name"
    )
    assert problems(model={"name": "own_net:Net", "w": 1, "d": 2}) == [text]
    adopt = {"width": "w", "depth": "d"}
    assert problems(model={"name": "own_net:Net", "adopt": adopt}) == []


def test_an_adopted_network_that_does_not_take_what_it_is_called_with_is_a_problem(project):
    (project / "own_net.py").write_text("def net(w, d, heads=2): ...", encoding="utf-8")
    assert problems(model={"name": "own_net:net", "adopt": {"width": "w"}, "heads": 4}) == [
        "model: own_net:net takes no depth: an adopted network is called with its width and depth; "
        "name its arguments, as in adopt: {width: n_embd, depth: n_layer}; it takes w, d, heads"
    ]
    adopt = {"width": "w", "depth": "d"}
    assert problems(model={"name": "own_net:net", "adopt": adopt, "d": 4, "head": 1}) == [
        "model.d: 4 is not an option: the run's shape and data decide it",
        "model.head: 1 is not accepted: own_net:net has no argument 'head'; "
        "it takes: heads; did you mean 'heads'?",
    ]


@pytest.mark.parametrize(
    ("adopt", "text"),
    [
        (True, "model.adopt: true is not a mapping"),
        ({"wide": "w"}, "model.adopt: Additional properties are not allowed"),
        ({"width": "n embd"}, "model.adopt.width: 'n embd' is not an argument"),
        ({"width": "w", "depth": "w"}, "model.adopt.depth: 'w' is not another argument than the"),
        ({"inputs": "os:system"}, "model.adopt.inputs: 'os:system' is not found: no source"),
        ({"roles": {"*.gate": "rooter"}}, "model.adopt.roles.*.gate: 'rooter' is not one of input"),
    ],
)
def test_what_an_adoption_cannot_be_is_a_problem(project, adopt, text):
    (project / "own_net.py").write_text("def net(**sizes): ...", encoding="utf-8")
    (found,) = problems(model={"name": "own_net:net", "adopt": adopt})
    assert found.startswith(text)


def test_settings_that_need_stated_roles_are_problems_of_adopted_networks(project):
    (project / "own_net.py").write_text("def net(**sizes): ...", encoding="utf-8")
    model = {"name": "own_net:net", "adopt": {}}
    assert problems(model=model, weights="unit") == [
        "weights: 'unit' is not fan_in with an adopted network, whose initial values its builder "
        "draws"
    ]


def test_options_of_own_data_and_optimizers(project):
    (project / "own_net.py").write_text(NET.format(more=""), encoding="utf-8")
    data, optimizer = {"name": "own_net:load"}, {"name": "own_net:make", "gradient_power": 0}
    assert problems(data={**data, "train": 8, "noise": 1}) == []
    assert problems(data={**data, "nose": 1}) == [
        "data.nose: 1 is not accepted: own_net:load has no argument 'nose'; "
        "it takes: train, noise; did you mean 'noise'?",
        "data: own_net:load needs the option train",
    ]
    assert problems(optimizer={**optimizer, "momentum": 0.9, "betas": [0.9]}) == []
    assert problems(optimizer=optimizer) == ["optimizer: own_net:make needs the option momentum"]


GROUPS_HOLD = {
    "eps": "read it from the groups, each of which holds its own",
    "betas": "read it from the groups, each of which holds it if the config gives it",
    "gradient_power": "remove the argument; it chooses the table, and no group holds it",
}


@pytest.mark.parametrize(
    ("argument", "value", "refused"),
    [("eps", 0.5, True), ("eps=1e-8", 0.5, True), ("eps=1e-8", None, False),
     ("betas", [0.9], True), ("betas=None", [0.9], True), ("betas", None, True),
     ("gradient_power", 0, True), ("gradient_power=1", 0, True), ("momentum=0.9", 0.5, False)],
)  # fmt: skip
def test_an_optimizer_cannot_take_what_is_not_passed(project, argument, value, refused):
    source = f"def make(groups, *, {argument}): ..."
    (project / "own_net.py").write_text(source, encoding="utf-8")
    name = argument.partition("=")[0]
    given = {} if value is None else {name: value}
    found = problems(optimizer={"name": "own_net:make", "gradient_power": 0, **given})
    text = f"own_net:make takes {name!r}, which is not passed: {GROUPS_HOLD.get(name)}"
    assert [problem.endswith(text) for problem in found] == [True] * refused


def test_problems_of_an_optimizer_have_one_order(project):
    """Sets of strings have another order in each process."""
    source = "def make(groups, *, gradient_power, eps, betas): ..."
    (project / "own_net.py").write_text(source, encoding="utf-8")
    found = problems(optimizer={"name": "own_net:make", "gradient_power": 0})
    assert [problem.split("'")[1] for problem in found] == ["betas", "eps", "gradient_power"]


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("adam", {"fused": False}),
        ("sophia", {"rho": 0.1, "every": 2, "estimator": "hutchinson", "scale_rho": True}),
    ],
)
def test_the_librarys_optimizers_take_eps_by_their_import_paths(module, options):
    part = {"name": f"hypertransfer.optimizers.{module}:make", "gradient_power": 0, **options}
    assert problems(optimizer={**part, "eps": 1e-8, "betas": [0.9, 0.95]}) == []
    assert problems(optimizer=part) == [f"optimizer: {part['name']} needs the option eps"]


@pytest.mark.parametrize(
    ("part", "name", "words"),
    [
        ("model", "my_models.Net", "or module:attribute: my_models:Net"),
        ("optimizer", "torch.optim.AdamW", "or module:attribute: torch.optim:AdamW"),
        ("data", "mine", "or module:attribute"),
        ("model", "my_models.py:Net", "leave out .py, as in my_models:Net"),
    ],
)
def test_a_name_that_is_not_written_as_a_path_is_told_how(part, name, words):
    (problem,) = problems(**{part: name})
    assert problem.endswith(words)


def test_as_built_is_for_adopted_networks():
    assert problems(parameterisation="as_built") == [
        "parameterisation: 'as_built' is not usable without an adopted network (model.adopt), "
        "which draws its own values"
    ]


@pytest.mark.parametrize(
    ("loss", "source", "text"),
    [
        ("own:mae", "def mse(o, t): ...", "loss: 'own:mae' is not found: own.py defines no 'mae'"),
        ("own:mae", "def mae(output): ...", "loss: own:mae takes output: a loss is called with"),
        ("own:mae", "def mae(o, t, *, w): ...", "loss: own:mae takes o, t, w: a loss is called"),
        ("own:mae", "def mae(model): ...", "loss: own:mae takes model: a loss is called with"),
        ("os:system", "", "loss: 'os:system' is not found: no source"),
    ],
)
def test_what_a_loss_cannot_be_is_a_problem(project, loss, source, text):
    with pytest.raises(ProblemError, match="'mae' is not one of cross_entropy, mse, or module:"):
        problems(loss="mae")
    (project / "own.py").write_text(source, encoding="utf-8")
    (problem,) = problems(loss=loss)
    assert problem.startswith(text)


@pytest.mark.parametrize("source", ["def mae(o, t): ...", "def mae(o, t, w=1): ...", "mae = max"])
def test_losses_of_the_user(project, source):
    (project / "own.py").write_text(source, encoding="utf-8")
    assert problems(loss="own:mae") == []


def test_a_training_step_is_no_loss_for_sophia(project):
    (project / "own.py").write_text("def step(model, batch): ...", encoding="utf-8")
    assert problems(loss="own:step") == []
    for estimator in ("gauss_newton", "hutchinson"):
        (problem,) = problems(loss="own:step", optimizer={"name": "sophia", "estimator": estimator})
        assert problem.startswith("loss: 'own:step' is not a loss of outputs and targets with soph")


@pytest.mark.parametrize(
    ("values", "meant"),
    [
        ({"parameterisation": "completp"}, "'completep'"),
        ({"model": "residual_mpl"}, "'residual_mlp'"),
        ({"model": {"name": "own_net:net", "adopt": {"roles": {"*": "ruter"}}}}, "'router'"),
    ],
)
def test_a_misspelt_value_is_answered_with_the_one_that_may_be_meant(project, values, meant):
    (project / "own_net.py").write_text("def net(**sizes): ...", encoding="utf-8")
    (found,) = problems(**values)
    assert f"; did you mean {meant}?" in found
