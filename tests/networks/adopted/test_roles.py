"""Roles from shapes and uses: those that our own networks state, and those of other authors."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial

import pytest
import torch
from tests.support import foreign
from tests.support.networks import MODELS, spec
from torch import nn

from hypertransfer.catalogue import dataset_options
from hypertransfer.networks.adopted.roles import infer
from hypertransfer.networks.layers import Branch
from hypertransfer.networks.tagged import RoleError, named_roles
from hypertransfer.parameterisation.algebra import Role
from hypertransfer.training import build

TEXT = "state_of_the_union"
DECODERS = [
    ("gpt", {}),
    ("gpt", {"tied": True}),
    ("llama", {}),
    ("llama", {"kv_heads": 2}),
    ("llama", {"attention": "latent", "latent_ratio": 0.5}),
    ("llama", {"experts": 4, "top_k": 2}),
    ("llama", {"experts": 8, "top_k": 2, "shared": 1, "score": "sigmoid"}),
]
GPT2 = {"n_positions": 8, "bos_token_id": None, "eos_token_id": None}


def roles(build, inputs, width=32, depth=1, **options):
    found = infer(build, width, depth, [inputs], **options)
    return {parameter.name: parameter for parameter in found.parameters}, found


@pytest.mark.parametrize(
    ("model", "options"), [*((name, None) for name in MODELS), *DECODERS], ids=str
)
def test_roles_of_our_own_networks_are_those_that_they_state(model, options):
    """The library's networks say the role of each parameter; here nothing reads what they say."""
    text = model in ("gpt", "llama")
    data, width = (TEXT, 64) if text else ("fashion_mnist", 8)
    run = spec(model, width=width, data=data, options=options)
    shapes = dataset_options.shape(data, run.data.options)

    def make(width, depth):
        return build.model(
            replace(run, shape=replace(run.shape, width=width, depth=depth)), *shapes
        )

    inputs = torch.zeros(2, *shapes[0], dtype=torch.long if text else torch.float)
    found, inference = roles(make, inputs, width, run.shape.depth)
    network = make(width, run.shape.depth)
    stated = {tagged.name: tagged for tagged in named_roles(network)}
    assert {name: one.role for name, one in found.items()} == {
        name: one.role for name, one in stated.items()
    }
    assert {n for n, one in found.items() if one.in_branch} == {
        n for n, one in stated.items() if one.in_branch
    }
    for name, one in stated.items():
        if one.is_weight:
            own = found[name]
            assert (own.fan_in, own.fan_out) == (one.module.fan_in, one.module.fan_out), name
    inside = {n for n, module in network.named_modules() if isinstance(module, Branch)}
    assert len(inference.branches) == len(inside)
    assert all(any(end.startswith(branch) for branch in inside) for end in inference.branches)
    assert not inference.doubtful


def test_a_perceptron_of_torch_alone():
    found, inference = roles(foreign.perceptron, foreign.FEATURES, depth=2)
    assert [one.role for one in found.values()] == [
        Role.INPUT, Role.VECTOR, *[Role.HIDDEN, Role.VECTOR] * 2, Role.OUTPUT, Role.READOUT_BIAS,
    ]  # fmt: skip
    assert inference.branches == inference.doubts == ()


def test_a_resnet_with_batch_normalisation():
    found, inference = roles(foreign.ResNet, foreign.IMAGES, 8)
    assert found["conv1.weight"].role is Role.INPUT
    assert found["layer2.0.downsample.0.weight"].role is Role.HIDDEN
    assert found["layer2.0.downsample.0.weight"].inputs == (1, 2, 3)
    assert not found["layer2.0.downsample.0.weight"].in_branch
    assert found["layer2.0.conv2.weight"].in_branch
    assert found["layer2.0.bn2.weight"].role is Role.VECTOR
    assert inference.branches == ("layer1.0.bn2", "layer2.0.bn2")
    (doubt,) = inference.doubts
    assert "the output of layer2.0.bn2 is added to that of another path" in doubt


def test_a_transformer_with_fused_queries_keys_and_values():
    found, inference = roles(foreign.Transformer, foreign.TOKENS)
    qkv = found["blocks.0.attn.qkv.weight"]
    assert (qkv.role, qkv.fan_in, qkv.fan_out, qkv.in_branch) == (Role.HIDDEN, 32, 96, True)
    assert (found["position"].role, found["position"].fan_out) == (Role.INPUT, 32)
    assert found["norm.weight"].role is found["norm.bias"].role is Role.FINAL_VECTOR
    assert found["head.weight"].role is Role.OUTPUT
    assert inference.branches == ("blocks.0.attn.proj", "blocks.0.mlp.2")


def test_a_tied_embedding_is_an_input_that_is_read_out_as_well():
    found, inference = roles(foreign.tied, foreign.TOKENS)
    assert "head.weight" not in found
    token = found["token.weight"]
    assert (token.role, token.shared, token.doubt) == (Role.INPUT, (Role.OUTPUT,), "")
    assert not inference.doubtful


def test_heads_that_grow_are_noted():
    def build(width, depth):
        network = foreign.Transformer(width, depth)
        for block in network.blocks:
            block.attn.heads = 2
        return network

    _, inference = roles(build, foreign.TOKENS, depth=2)
    (note,) = inference.doubts
    assert "products of computed tensors in blocks.0.attn and others sum 16 terms at the" in note
    assert inference.growing_products == ("blocks.0.attn", "blocks.1.attn")
    assert "width 32 and 64 at 128" in note
    assert not inference.doubtful


class Odd(nn.Module):
    """A network with a parameter that nothing uses, a frozen one, and a module used twice."""

    def __init__(self, width, depth):
        super().__init__()
        self.first = nn.Linear(10, width)
        self.again = nn.Linear(width, width)
        self.unused = nn.Linear(width, width)
        self.frozen = nn.Linear(width, width)
        self.last = nn.Linear(width, 3)
        for parameter in (*self.frozen.parameters(), self.unused.bias):
            parameter.requires_grad_(False)

    def forward(self, x):
        return self.last(self.frozen(self.again(self.again(self.first(x)).relu())))


def test_unused_frozen_and_shared_parameters():
    found, inference = roles(Odd, foreign.FEATURES)
    assert [one.name for one in inference.doubtful] == ["unused.weight"]
    assert "the output does not depend on it: freeze it, or" in found["unused.weight"].doubt
    assert 'say what it is, such as "unused.weight=hidden"' in found["unused.weight"].doubt
    assert found["unused.bias"].reason == "the output does not depend on it; frozen"
    assert (found["frozen.weight"].role, found["frozen.weight"].is_trained) == (Role.HIDDEN, False)
    assert found["again.weight"].role is Role.HIDDEN


def test_overrides_settle_doubts_and_the_last_one_counts():
    overrides = {"*.weight": "hidden", "unused.*": Role.VECTOR}
    found, inference = roles(Odd, foreign.FEATURES, overrides=overrides)
    assert not inference.doubtful
    assert found["unused.weight"].role is Role.VECTOR
    assert found["first.weight"].role is Role.HIDDEN
    assert found["first.bias"].role is Role.VECTOR


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"nothing.*": "vector"}, "'nothing.*' matches no parameter; the first are "),
        (
            {"first": "vector"},
            "'first' matches no parameter; did you mean 'first.weight', of the parameters of that",
        ),
        ({"f": "vector"}, "'f' matches no parameter; the first are "),
        ({"last.*": "readout"}, "'readout', which is no role; known: input, hidden, output"),
    ],
)
def test_wrong_overrides_are_errors(overrides, message):
    with pytest.raises(RoleError, match=message.replace("*", r"\*")):
        roles(Odd, foreign.FEATURES, overrides=overrides)


def growing(size):
    """Networks of one hidden layer of a size that follows from the width."""
    return lambda width, depth: nn.Sequential(nn.Linear(10, size(width)), nn.Linear(size(width), 3))


def test_a_dimension_that_grows_otherwise_is_doubtful():
    found, inference = roles(growing(lambda width: width**2), foreign.FEATURES, 4)
    assert {one.name for one in inference.doubtful} == {"0.weight", "0.bias", "1.weight"}
    assert "dimension 0 is 16, 256, 4096 at the widths 4, 16, 64" in found["0.weight"].doubt


@pytest.mark.parametrize("size", [lambda w: w + 3, lambda w: 2 * w, lambda w: 8 * round(w / 3)])
def test_a_dimension_in_proportion_but_for_a_constant_and_rounding_grows(size):
    found, inference = roles(growing(size), foreign.FEATURES)
    assert not inference.doubtful
    assert [one.role for one in found.values()] == [
        Role.INPUT, Role.VECTOR, Role.OUTPUT, Role.READOUT_BIAS,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "inputs", "message"),
    [
        (growing(lambda width: 7), foreign.FEATURES, "no dimension of any parameter .* grows"),
        (lambda width, depth: 3, foreign.FEATURES, "returns a int, and not a torch.nn.Module"),
        (growing(lambda width: 96 // (128 - width)), foreign.FEATURES, "width 128 and depth 1"),
        (foreign.perceptron, foreign.TOKENS, "the forward pass of Sequential fails"),
    ],
)
def test_networks_that_cannot_be_compared_are_errors(make, inputs, message):
    with pytest.raises(RoleError, match=message):
        roles(make, inputs)


def test_nothing_of_the_network_or_of_random_generators_changes():
    network = foreign.ResNet(8, 1)
    network.bn1.eval()
    before = copy.deepcopy(network.state_dict())
    modes = [module.training for module in network.modules()]
    state = torch.get_rng_state()
    infer(lambda width, depth: network if width == 8 else foreign.ResNet(width, depth), 8, 1,
        [torch.randn(2, 3, 8, 8, generator=torch.Generator())])  # fmt: skip
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert [module.training for module in network.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(module._forward_hooks for module in network.modules())


def test_fused_operations_are_on_again_after_a_pass_that_fails():
    with pytest.raises(RoleError, match="fails on the example inputs"):
        infer(foreign.ResNet, 8, 1, [foreign.FEATURES])
    assert torch.backends.mkldnn.enabled
    assert torch.backends.mha.get_fastpath_enabled()


def hugging_face(name, width, **values):
    """A builder of a network of Hugging Face, from a config; nothing is downloaded."""
    transformers = pytest.importorskip("transformers", reason="needs the package transformers")
    config, network = (getattr(transformers, f"{name}{end}") for end in width["classes"])
    fixed = {**values, "vocab_size": 50}

    def make(wide, deep):
        sizes = {key: size(wide, deep) for key, size in width["sizes"].items()}
        return network(config(**sizes, **fixed))

    return make


LLAMA_LIKE = {
    "classes": ("Config", "ForCausalLM"),
    "sizes": {
        "hidden_size": lambda w, d: w,
        "intermediate_size": lambda w, d: 2 * w,
        "num_hidden_layers": lambda w, d: d,
        "num_attention_heads": lambda w, d: w // 8,
    },
}
GPT_LIKE = {
    "classes": ("Config", "LMHeadModel"),
    "sizes": {
        "n_embd": lambda w, d: w,
        "n_layer": lambda w, d: d,
        "n_head": lambda w, d: w // 8,
    },
}


def test_gpt_2_of_hugging_face():
    found, inference = roles(hugging_face("GPT2", GPT_LIKE, **GPT2), foreign.TOKENS)
    assert (found["transformer.wte.weight"].role, found["transformer.wte.weight"].shared) == (
        Role.INPUT, (Role.OUTPUT,),
    )  # fmt: skip
    qkv = found["transformer.h.0.attn.c_attn.weight"]  # stored as (in, out)
    assert (qkv.inputs, qkv.fan_in, qkv.fan_out, qkv.role) == ((0,), 32, 96, Role.HIDDEN)
    assert found["transformer.ln_f.weight"].role is Role.FINAL_VECTOR
    assert inference.branches == ("transformer.h.0.attn.c_proj", "transformer.h.0.mlp.c_proj")
    assert not inference.doubtful
    assert inference.doubts == ()


@pytest.mark.parametrize("name", ["Llama", "Qwen3"])
def test_llama_and_qwen_with_keys_that_do_not_grow(name):
    make = hugging_face(name, LLAMA_LIKE, num_key_value_heads=2, head_dim=8)
    found, inference = roles(make, foreign.TOKENS)
    layer = "model.layers.0"
    keys = found[f"{layer}.self_attn.k_proj.weight"]
    assert (keys.role, keys.growing, keys.shape) == (Role.HIDDEN, (1,), (16, 32))
    assert found["lm_head.weight"].role is Role.OUTPUT
    assert found["model.norm.weight"].role is Role.FINAL_VECTOR
    if name == "Qwen3":
        assert found[f"{layer}.self_attn.q_norm.weight"].role is Role.QK_GAIN
    assert inference.branches == (f"{layer}.self_attn.o_proj", f"{layer}.mlp.down_proj")
    assert not inference.doubtful


def test_mixtral_has_a_router_and_experts():
    make = hugging_face("Mixtral", LLAMA_LIKE, num_key_value_heads=2, num_local_experts=4)
    found, inference = roles(make, foreign.TOKENS)
    kinds = {name.rpartition("mlp.")[2]: one for name, one in found.items() if ".mlp." in name}
    assert {name: one.role for name, one in kinds.items()} == {
        "gate.weight": Role.ROUTER,
        "experts.gate_up_proj": Role.EXPERT_UP,
        "experts.down_proj": Role.EXPERT_DOWN,
    }
    up = kinds["experts.gate_up_proj"]
    assert (up.fan_in, up.fan_out) == (32, 128)
    assert not inference.doubtful


class Parts(nn.Module):
    """Blocks whose parts and forward pass a test chooses."""

    def __init__(self, width, depth, parts, forward):
        super().__init__()
        self.first = nn.Linear(10, width)
        self.blocks = nn.ModuleList(nn.ModuleDict(parts(width)) for _ in range(depth))
        self.last = nn.Linear(width, 3)
        self.of_block = forward

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = self.of_block(block, x)
        return self.last(x)


def in_blocks(forward, **parts):
    """A builder of networks with blocks of some parts, each made from the width."""
    return lambda width, depth: Parts(
        width, depth, lambda w: {name: make(w) for name, make in parts.items()}, forward
    )


def square(width):
    return nn.Linear(width, width)


def test_an_activation_that_several_places_share_ends_no_branch():
    shared = nn.Tanh()
    make = in_blocks(lambda b, x: x + shared(b["b"](shared(b["a"](x)))), a=square, b=square)

    def build(width, depth):
        network = make(width, depth)
        network.shared = shared
        return network

    _, inference = roles(build, foreign.FEATURES)
    (fault,) = inference.faults
    assert "the residual branch with blocks.0.b.weight does not end with the first output" in fault
    assert inference.branches == ()


def test_a_branch_that_ends_in_a_product_with_a_number_is_a_fault():
    _, inference = roles(in_blocks(lambda b, x: x + 0.5 * b["a"](x), a=square), foreign.FEATURES)
    assert "the residual branch with blocks.0.a.weight" in inference.faults[0]


def test_the_second_output_of_a_module_ends_no_branch():
    class Both(nn.Linear):
        def forward(self, x):
            return x.softmax(-1), super().forward(x)

    make = in_blocks(lambda b, x: x + b["a"](x)[1], a=lambda width: Both(width, width))
    _, inference = roles(make, foreign.FEATURES)
    assert inference.branches == ()
    assert inference.faults


def test_a_sum_outside_of_a_stack_of_blocks_is_not_scaled():
    class Global(nn.Module):
        def __init__(self, width, depth):
            super().__init__()
            self.first, self.after = nn.Linear(10, width), nn.Linear(width, width)
            self.blocks = nn.ModuleList(square(width) for _ in range(depth))
            self.last = nn.Linear(width, 3)

        def forward(self, x):
            first = x = self.first(x)
            for block in self.blocks:
                x = x + block(x)
            return self.last(first + self.after(x))

    found, inference = roles(Global, foreign.FEATURES)
    assert inference.branches == ("blocks.0",)
    assert not found["after.weight"].in_branch
    assert any("outside of any stack of blocks" in doubt for doubt in inference.doubts)


def test_two_paths_with_as_many_products_are_no_branch():
    make = in_blocks(lambda b, x: b["a"](x.flip(0)) + b["b"](x), a=square, b=square)
    found, inference = roles(make, foreign.FEATURES)
    assert inference.branches == inference.faults == ()
    assert not any(one.in_branch for one in found.values())


GATES = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}


@pytest.mark.parametrize("layer", GATES)
@pytest.mark.parametrize("sides", [1, 2])
def test_recurrent_layers_of_torch(layer, sides):
    """Of all products and sums over steps, none is in doubt or taken for a residual branch."""
    found, inference = roles(
        partial(foreign.Recurrent, layer=layer, sides=sides), foreign.TOKENS, depth=2
    )
    gates = GATES[layer] * 32
    for end in ("", "_reverse")[:sides]:
        for number, inputs in enumerate((32, sides * 32)):
            of = f"layers.0.{{}}_l{number}{end}".format
            into, own = found[of("weight_ih")], found[of("weight_hh")]
            assert (into.role, into.fan_in, into.fan_out) == (Role.HIDDEN, inputs, gates)
            assert (own.role, own.fan_in, own.fan_out) == (Role.HIDDEN, 32, gates)
            assert into.growing == own.growing == (0, 1)
            assert {found[of(name)].role for name in ("bias_ih", "bias_hh")} == {Role.VECTOR}
    assert not inference.doubtful
    assert inference.branches == inference.faults == inference.doubts == ()


@pytest.mark.parametrize("layer", GATES)
def test_recurrent_layers_in_blocks(layer):
    build = partial(foreign.Recurrent, layer=layer, stacked=True)
    found, inference = roles(build, foreign.TOKENS, depth=2)
    assert not inference.doubtful
    assert inference.branches == inference.faults == inference.doubts == ()
    found, inference = roles(partial(build, residual=True), foreign.TOKENS, depth=2)
    assert {name for name, one in found.items() if one.in_branch} == {
        name for name in found if name.startswith("layers.")
    }
    assert inference.branches == ("layers.0", "layers.1")
    assert inference.faults == inference.doubts == ()


class Residual(nn.LSTM):
    """A recurrent layer of torch with a residual branch of its own."""

    def __init__(self, width, outside=None):
        super().__init__(width, width, batch_first=True)

    def forward(self, x, state=None):
        y, state = super().forward(x, state)
        return x + y, state


def test_the_branch_of_a_subclass_of_a_recurrent_layer_is_not_passed_over():
    def build(width, depth):
        return foreign.Recurrent(width, depth, lambda w, *_, **options: Residual(w), stacked=True)

    _, inference = roles(build, foreign.TOKENS, depth=2)
    assert inference.branches or inference.faults or inference.doubtful or inference.doubts


class Steps(nn.Module):
    """Cells that are called once for each position."""

    def __init__(self, width, depth, cell):
        super().__init__()
        self.embedding = nn.Embedding(50, width)
        self.cells = nn.ModuleList(cell(width, width) for _ in range(depth))
        self.readout = nn.Linear(width, 50)

    def forward(self, tokens):
        x = self.embedding(tokens)
        for cell in self.cells:
            states = [None]
            for step in x.unbind(1):
                states.append(cell(step, states[-1]))
            x = torch.stack([s[0] if isinstance(s, tuple) else s for s in states[1:]], dim=1)
        return self.readout(x)


@pytest.mark.parametrize("cell", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_recurrent_cells_of_torch(cell):
    found, inference = roles(partial(Steps, cell=cell), foreign.TOKENS, depth=2)
    assert {found[f"cells.1.weight_{of}"].role for of in ("ih", "hh")} == {Role.HIDDEN}
    assert {found[f"cells.1.bias_{of}"].role for of in ("ih", "hh")} == {Role.VECTOR}
    assert not inference.doubtful
    assert inference.branches == inference.faults == inference.doubts == ()


class CrossAttention(nn.Module):
    """Layers of torch that read what an encoder of torch has made."""

    def __init__(self, width, depth):
        super().__init__()
        self.token = nn.Embedding(50, width)
        heads = {"nhead": width // 8, "dim_feedforward": 2 * width, "batch_first": True}
        self.encoder = nn.TransformerEncoderLayer(width, norm_first=True, **heads)
        layers = (nn.TransformerDecoderLayer(width, norm_first=True, **heads) for _ in range(depth))
        self.decoder = nn.ModuleList(layers)
        self.head = nn.Linear(width, 50)

    def forward(self, tokens):
        memory = self.encoder(self.token(tokens))
        x = self.token(tokens.flip(1))
        for layer in self.decoder:
            x = layer(x, memory)
        return self.head(x)


def test_attention_of_torch_and_an_encoder_that_branches_read():
    found, inference = roles(CrossAttention, foreign.TOKENS)
    assert not inference.doubtful
    assert found["decoder.0.multihead_attn.in_proj_weight"].in_branch
    assert found["decoder.0.self_attn.in_proj_weight"].role is Role.HIDDEN
    assert found["decoder.0.self_attn.in_proj_weight"].fan_in == 32
    assert not any(one.in_branch for name, one in found.items() if name.startswith("encoder."))
    assert not found["token.weight"].in_branch
    assert len(inference.branches) == 3


@pytest.mark.parametrize(("groups", "inputs"), [(1, (0, 2, 3)), (32, (2, 3)), (4, None)], ids=str)
def test_transposed_convolutions_with_groups(groups, inputs):
    def build(width, depth):
        groups_here = width if groups == 32 else groups
        return nn.Sequential(
            nn.Conv2d(3, width, 3), nn.ConvTranspose2d(width, width, 3, groups=groups_here),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 5),
        )  # fmt: skip

    found, _ = roles(build, foreign.IMAGES)
    weight = found["1.weight"]
    assert weight.inputs == (inputs or ())
    assert bool(weight.doubt) == (inputs is None)


def test_a_copy_of_a_transpose_has_the_dimensions_of_the_parameter():
    class Narrow(nn.Module):
        def __init__(self, width, depth):
            super().__init__()
            self.first = nn.Linear(10, width)
            self.weight = nn.Parameter(torch.randn(16, width))  # as (out, in)
            self.last = nn.Linear(16, width)
            self.head = nn.Linear(width, 3)

        def forward(self, x):
            x = self.first(x) @ self.weight.t().contiguous()
            return self.head(self.last(x))

    found, _ = roles(Narrow, foreign.FEATURES)
    assert (found["weight"].inputs, found["weight"].scaled_as) == ((1,), Role.NARROWING)


def test_vectors_that_do_not_grow_and_norms_without_a_readout():
    class Backbone(nn.Module):
        def __init__(self, width, depth):
            super().__init__()
            self.first = nn.Linear(10, width)
            self.bias = nn.Parameter(torch.zeros(2, 10))
            self.norm = nn.LayerNorm(width)

        def forward(self, x):
            return self.norm(self.first(x + self.bias))

    found, _ = roles(Backbone, foreign.FEATURES)
    assert found["bias"].role is Role.QK_GAIN
    assert found["norm.weight"].role is Role.VECTOR


def test_buffers_that_a_forward_pass_makes_are_no_error():
    class Mask(foreign.Transformer):
        def forward(self, tokens):
            self.register_buffer("mask", torch.ones(8), persistent=False)
            return super().forward(tokens) * self.mask[:, None]

    _, inference = roles(Mask, foreign.TOKENS)
    assert not inference.doubtful


def test_a_builder_that_reads_its_weights_is_built_with_memory():
    class Reading(foreign.Transformer):
        def __init__(self, width, depth):
            super().__init__(width, depth)
            self.size = float(self.head.weight.norm())

    _, inference = roles(Reading, foreign.TOKENS)
    assert not inference.doubtful


def test_a_hidden_matrix_of_unknown_inputs_needs_to_say_which_dimension_grows():
    make = in_blocks(lambda b, x: x + b["a"](x), a=square, unused=lambda w: nn.Linear(w, 16))
    found, _ = roles(make, foreign.FEATURES, overrides={"*.unused.*": "hidden"})
    with pytest.raises(RoleError, match=r"narrowing \(inputs\) or widening \(outputs\)"):
        assert found["blocks.0.unused.weight"].scaled_as
    found, _ = roles(make, foreign.FEATURES, overrides={"*.unused.*": "narrowing"})
    assert found["blocks.0.unused.weight"].scaled_as is Role.NARROWING
