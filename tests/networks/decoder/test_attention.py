"""Attention of decoders against equations written out, and decoding with caches against without."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.parts import network as network_of
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from hypertransfer.catalogue import checks, complete
from hypertransfer.catalogue.cards import decoder_sizes, decoders
from hypertransfer.catalogue.options import defaults
from hypertransfer.networks.decoder.attention import CausalAttention
from hypertransfer.networks.decoder.kv_cache import Cache
from hypertransfer.networks.decoder.latent_attention import LatentAttention
from hypertransfer.networks.decoder.rotary import Rotary
from hypertransfer.planning import flops

SEEDED = settings(derandomize=True, deadline=None, max_examples=20)
WIDTH, HEAD, TOKENS = 16, 4, 12

# Options of a decoder, each with its own kind of attention.
KINDS = {
    "multi-head": {},
    "grouped-query": {"kv_heads": 2},
    "multi-query": {"kv_heads": 1},
    "one matrix": {"fused": True},
    "QK norm": {"qk_norm": True},
    "latent": {"attention": "latent"},
    "latent queries": {"attention": "latent", "query_latent_ratio": 0.25},
    "larger keys": {"attention": "latent", "rotary_size": 6},
    "latent, learned positions": {"attention": "latent", "positions": "learned"},
    "learned positions": {"positions": "learned"},
    "experts": {"experts": 4, "top_k": 2, "capacity": 0.5},
}


def drawn(network, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.double)
    return network.double()


def decoder(options, seed=0, **shape):
    made = network_of(
        "llama",
        width=WIDTH,
        depth=2,
        input_shape=(TOKENS,),
        classes=11,
        **{"head_size": HEAD, **options, **shape},
    )
    network = drawn(made, seed)
    for parameter in network.parameters():
        parameter.data /= max(1, parameter.shape[-1]) ** 0.5 if parameter.dim() > 1 else 1
    return network.eval()


def text(batch=2, tokens=TOKENS, seed=0):
    return torch.randint(11, (batch, tokens), generator=torch.Generator().manual_seed(seed))


# Equations written out ----------------------------------------------------------------------


def rotated(vector, place, size):
    return Rotary(TOKENS, size).double()(vector.view(1, 1, 1, size), place).flatten()


def written_out(layer, x):
    """DeepSeek-V2 (2405.04434), Equations 9 to 19, place by place and head by head."""
    heads, size, turned = layer.heads, layer.head_size, layer.rotary_size
    out = []
    for sequence in x:
        latents = [layer.norm(layer.down.weight @ h) for h in sequence]
        shared = [rotated(layer.shared_key.weight @ h, t, turned) for t, h in enumerate(sequence)]
        rows = []
        for t, h in enumerate(sequence):
            first = h
            if layer.query_down is not None:
                first = layer.query_norm(layer.query_down.weight @ h)
            queries = (layer.query.weight @ first).view(heads, size + turned)
            mixed = []
            for head in range(heads):
                own = slice(head * size, (head + 1) * size)
                content, position = queries[head, :size], queries[head, size:]
                position = rotated(position, t, turned)
                logits = torch.stack(
                    [
                        (content @ layer.up_key.weight[own] @ latents[j] + position @ shared[j])
                        / (size + turned) ** 0.5
                        for j in range(t + 1)
                    ]
                )
                weights = logits.softmax(0)
                mixed.append(
                    sum(
                        weights[j] * (layer.up_value.weight[own] @ latents[j]) for j in range(t + 1)
                    )
                )
            rows.append(layer.out.weight @ torch.cat(mixed))
        out.append(torch.stack(rows))
    return torch.stack(out)


def gradients(output, layer, x):
    return torch.autograd.grad(output.square().sum(), [x, *layer.parameters()])


def latent_layer(query_latent=None, seed=0):
    return drawn(
        LatentAttention(
            width=WIDTH,
            head_size=HEAD,
            tokens=TOKENS,
            bias=False,
            logits="1/√E",
            latent=6,
            rotary_size=2,
            query_latent=query_latent,
        ),
        seed,
    )


@pytest.mark.parametrize("query_latent", [None, 5])
def test_latent_attention_is_its_equations_with_gradients(query_latent):
    layer = latent_layer(query_latent)
    x = torch.randn(2, 5, WIDTH, dtype=torch.double, requires_grad=True)
    ours, theirs = layer(x), written_out(layer, x)
    torch.testing.assert_close(ours, theirs)
    for a, b in zip(gradients(ours, layer, x), gradients(theirs, layer, x), strict=True):
        torch.testing.assert_close(a, b)


@SEEDED
@given(seed=st.integers(0, 99), query_latent=st.sampled_from([None, 5]), tokens=st.integers(1, 9))
def test_absorbed_matrices_change_nothing_gradients_included(seed, query_latent, tokens):
    layer = latent_layer(query_latent, seed)
    x = torch.randn(3, tokens, WIDTH, dtype=torch.double, requires_grad=True)
    plain, absorbed = layer(x), layer.step(x, layer.cache(3, tokens))
    torch.testing.assert_close(absorbed, plain)
    for a, b in zip(gradients(absorbed, layer, x), gradients(plain, layer, x), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_grouped_queries_are_multi_head_attention_with_repeated_keys_and_values(kv_heads):
    options = {
        "width": WIDTH,
        "head_size": HEAD,
        "tokens": TOKENS,
        "bias": True,
        "qk_norm": False,
        "rotary": True,
        "logits": "1/E",
    }
    grouped = drawn(CausalAttention(**options, kv_heads=kv_heads))
    whole = drawn(CausalAttention(**options))
    whole.query.load_state_dict(grouped.query.state_dict())
    whole.out.load_state_dict(grouped.out.state_dict())
    for name in ("key", "value"):
        for part in ("weight", "bias"):
            given_heads = getattr(getattr(grouped, name), part).data.unflatten(0, (kv_heads, HEAD))
            repeated = given_heads.repeat_interleave(4 // kv_heads, dim=0).flatten(0, 1)
            getattr(getattr(whole, name), part).data = repeated
    x = torch.randn(2, 7, WIDTH, dtype=torch.double, requires_grad=True)
    torch.testing.assert_close(grouped(x), whole(x))
    torch.testing.assert_close(grouped.logits(x), whole.logits(x))
    (a,), (b,) = (torch.autograd.grad(m(x).square().sum(), [x]) for m in (grouped, whole))
    torch.testing.assert_close(a, b)


def test_one_matrix_of_all_three_is_the_three_below_one_another():
    options = {
        "width": WIDTH,
        "head_size": HEAD,
        "tokens": TOKENS,
        "bias": False,
        "qk_norm": False,
        "rotary": True,
        "logits": "1/E",
        "kv_heads": 2,
    }
    apart, fused = CausalAttention(**options), CausalAttention(**options, fused=True)
    fused.out.load_state_dict(apart.out.state_dict())
    fused.qkv.weight.data = torch.cat([apart.query.weight, apart.key.weight, apart.value.weight])
    x = torch.randn(2, 7, WIDTH)
    torch.testing.assert_close(fused(x), apart(x))


@pytest.mark.parametrize("options", [o for n, o in KINDS.items() if n != "experts"], ids=str)
def test_logits_are_those_that_attention_weighs_by(options):
    """With values of one-hot vectors of places, attention's output is softmax(logits)."""
    block = decoder(options).blocks[0]
    layer = block.attention_layer
    x = torch.randn(1, 4, WIDTH, dtype=torch.double)
    logits = layer.logits(x)
    assert logits.shape == (1, 4, 4, 4)
    above = torch.ones(4, 4, dtype=torch.bool).triu(1)
    assert bool((logits[..., above] == -torch.inf).all())
    seen = []
    real = torch.nn.functional.scaled_dot_product_attention

    def watched(q, k, v, *args, scale, is_causal=False, **kwargs):
        repeat = q.shape[1] // k.shape[1]
        seen.append((q @ k.repeat_interleave(repeat, 1).mT * scale).tril())
        return real(q, k, v, *args, scale=scale, is_causal=is_causal, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.functional, "scaled_dot_product_attention", watched)
        layer(x)
    torch.testing.assert_close(logits.nan_to_num(neginf=0.0).tril(), seen[0])


# Decoding -----------------------------------------------------------------------------------


@SEEDED
@given(
    kind=st.sampled_from(list(KINDS)),
    cuts=st.sets(st.integers(1, TOKENS - 1)),
    batch=st.integers(1, 3),
    seed=st.integers(0, 9),
)
def test_decoding_with_a_cache_is_the_full_forward_pass(kind, cuts, batch, seed):
    network, x = decoder(KINDS[kind], seed), text(batch, seed=seed)
    caches, ends = network.cache(batch, TOKENS), [0, *sorted(cuts), TOKENS]
    with torch.no_grad():
        parts = [network.step(x[:, a:b], caches) for a, b in itertools.pairwise(ends)]
        torch.testing.assert_close(torch.cat(parts, dim=1), network(x))


@pytest.mark.parametrize("kind", KINDS)
def test_generation_is_the_most_likely_token_again_and_again(kind):
    network, prompt = decoder(KINDS[kind]), text(tokens=4)
    found, read = network.generate(prompt, 6), prompt
    for _ in range(6):
        read = torch.cat([read, network(read)[:, -1:].argmax(-1)], dim=1)
    assert found.equal(read[:, 4:])


def test_rotary_positions_go_on_beyond_the_window():
    network = decoder({})
    long = decoder({})
    for block in long.blocks:
        block.attention_layer.rotary = Rotary(40, HEAD).double()
    x = text(1, 30)
    torch.testing.assert_close(network(x), long(x))


def test_learned_positions_end_with_the_window():
    network = decoder({"positions": "learned"})
    with pytest.raises(ValueError, match="there are 13 tokens, but only 12 positions are learned"):
        network.generate(text(tokens=10), 4)
    assert network.generate(text(tokens=10), 3).shape == (2, 3)


def test_a_full_cache_says_so():
    network = decoder({})
    caches = network.cache(1, 5)
    network.step(text(1, 4), caches)
    with pytest.raises(ValueError, match=r"has room for 5 tokens and holds 4: 2 more do not fit"):
        network.step(text(1, 2), caches)
    assert caches[0].length == 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [16, 32])
def test_bytes_of_the_cache_are_those_of_the_formula(kind, width):
    options = {"head_size": HEAD, **KINDS[kind]}
    network = network_of(
        "llama", width=width, depth=3, input_shape=(TOKENS,), classes=11, **options
    )
    held = sum(cache.bytes for cache in network.cache(5, 7))
    parts = {**defaults(decoders.DECODERS["llama"]), "granularity": 1, **options}
    assert held == 5 * 7 * 3 * 4 * decoder_sizes.cached(parts, width)


@pytest.mark.parametrize(
    ("width", "head", "rotary", "saved"),
    [(512, 64, 64, 68.75), (256, 32, 32, 68.75), (512, 64, 32, 71.875), (768, 64, 64, 70.83)],
)
def test_what_latents_of_half_the_width_save(width, head, rotary, saved):
    """1 − (r + d_R)/(2d): 68 % is that of a width of 512."""
    parts = {**defaults(decoders.DECODERS["llama"]), "head_size": head}
    latent = {**parts, "attention": "latent", "rotary_size": rotary}
    share = decoder_sizes.cached(latent, width) / decoder_sizes.cached(parts, width)
    assert 100 * (1 - share) == pytest.approx(saved, abs=0.01)


def test_the_cache_grows_by_what_is_read():
    cache = Cache(2, 8, {"key": (3, 4)}, torch.zeros(1))
    first, second = torch.randn(2, 3, 5, 4), torch.randn(2, 3, 1, 4)
    cache.append(key=first)
    (kept,) = cache.append(key=second)
    assert kept.equal(torch.cat([first, second], dim=2))
    assert (cache.length, cache.bytes) == (6, 2 * 3 * 8 * 4 * 4)


# Planning -----------------------------------------------------------------------------------


def spec(**model):
    shape = {"width": 32, "depth": 2}
    given_shape = {**shape, "granularity": model.pop("granularity", 1)}
    return complete.run_spec(
        {
            "model": {"name": "llama", **model},
            "data": {"name": "state_of_the_union", "context": 16},
            "base": shape,
            "shape": given_shape,
            "parameterisation": "mup_moe",
            "optimizer": "adamw",
            "lr": 0.01,
            "batch_size": 4,
            "steps": 2,
            "seed": 0,
            "log_every": 1,
        }
    )


@pytest.mark.parametrize(
    ("model", "path", "text"),
    [
        ({"kv_heads": 3}, "model.kv_heads", "a divisor of the 2 heads"),
        ({"attention": "latent", "qk_norm": True}, "model.qk_norm", "multi_head only"),
        ({"attention": "latent", "kv_heads": 2}, "model.kv_heads", "multi_head only"),
        ({"attention": "latent", "rotary_size": 3}, "model.rotary_size", "even"),
        ({"attention": "latent", "latent_ratio": 0.3}, "model.latent_ratio", "whole"),
        ({"top_k": 2}, "model.top_k", "model.experts is 0"),
        ({"experts": 2, "top_k": 3}, "model.top_k", "at most the number of experts, 2"),
        ({"experts": 2, "gates": "normalised"}, "model.gates", "no router trained"),
        ({"experts": 2, "bias": True}, "model.bias", "no biases"),
        ({"granularity": 2}, "shape.granularity", "no experts to split"),
        ({"experts": 2, "granularity": 7}, "shape.granularity", "divisor of the inner size, 96"),
        ({"experts": 2, "score": "tanh"}, "model.score", "one of softmax, sigmoid"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(model, path, text):
    found = {problem.key: problem.expected for problem in checks.objections(spec(**model))}
    assert text in found[path]


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"kv_heads": 1},
        {"attention": "latent"},
        {"attention": "latent", "query_latent_ratio": 0.5, "rotary_size": 8},
        {"experts": 4, "top_k": 4, "score": "sigmoid"},
        {"experts": 2, "top_k": 2, "shared": 1},
        {"experts": 2, "top_k": 2, "granularity": 4},
    ],
)
def test_operations_and_weights_are_counted_as_torch_does(model):
    one = spec(**model)
    assert not list(checks.objections(one))
    finer = {"granularity": one.shape.granularity} if one.shape.granularity > 1 else {}
    network = network_of(
        "llama", width=32, depth=2, input_shape=(16,), classes=256, **finer, **one.model.options
    )
    nn.init.normal_(network.embedding.weight)
    # The only kernel of attention whose operations are counted on a CPU.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        network(torch.zeros(1, 16, dtype=torch.long))
    assert flops.forward_flops(one) == counter.get_total_flops()
    # Attention's matrices of places are layers too, and have no weights; norms' gains do.
    weights = sum(p.numel() for p in network.parameters() if p.dim() > 1)
    assert weights <= sum(layer.weights for layer in flops.layers(one)) <= weights + 2 * 16 * 32 * 4


def test_gpt_takes_them_too():
    network = network_of(
        "gpt",
        width=32,
        depth=1,
        input_shape=(8,),
        classes=5,
        attention="latent",
        bias=False,
        experts=2,
    )
    assert network(torch.zeros(1, 8, dtype=torch.long)).shape == (1, 8, 5)
