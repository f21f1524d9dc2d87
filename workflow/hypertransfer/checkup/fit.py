"""Whether a network of another author fits its data, before it is trained, and what would help.

Torch says `index out of range in self` of samples that are too long and of unknown tokens alike.
Where a network fails on samples of its data, passes of shorter samples and of lower tokens tell
which it is. How many the network takes is told only if one of its tensors is as long: a network
may refuse samples for other reasons.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from hypertransfer.data.samples import Samples
from hypertransfer.networks.adopted.outputs import predictions
from hypertransfer.training.network_tensors import evaluating, tensors_of

POSITIONS, VOCABULARY = ("position",), ("vocab", "label")  # in names of a config's numbers


def misfit(network: nn.Module, data: Samples, shorten: str, *, outputs: bool) -> str:
    """Why a network cannot take samples of the data, and what would help; empty if it may.

    Args:
        network: the network, with values.
        data: the data set.
        shorten: how samples are made as short as `{}` says.
        outputs: whether the network has to return an output for each class.
    """
    x, y = data.train_x, data.train_y
    with evaluating(network), torch.no_grad():
        if not x.is_floating_point() and x.dim() == 2:
            highest = max(int(part.max()) for part in (x, data.test_x))
            vocabulary = max(highest + 1, data.classes if y.shape == x.shape else 0)
            parts = (x[:1], *(_with_highest(part) for part in (x, data.test_x)))
            if found := of_tokens(network, torch.cat(parts), vocabulary, shorten):
                return found
        return _of_outputs(network, x[:1], y[:1], data.classes) if outputs else ""


def _with_highest(x: Tensor) -> Tensor:
    """The first sample that has the highest token."""
    return x[x.amax(dim=1).argmax()].unsqueeze(0)


@torch.no_grad()
def of_tokens(network: nn.Module, x: Tensor, vocabulary: int, shorten: str) -> str:
    """Why a network cannot take samples; empty if it can, or if it fails for another reason.

    Args:
        network: the network.
        x: the samples (sample, token), one with the highest token among them.
        vocabulary: the number of tokens that the network should know.
        shorten: as in `misfit`.
    """
    if _passes(network, x):
        return ""
    return "; ".join(_problems(network, x.shape[1], int(x.max()), vocabulary, shorten))


def _problems(
    network: nn.Module, length: int, highest: int, vocabulary: int, shorten: str
) -> Iterator[str]:
    name = type(network).__name__
    sizes = {size for tensor in tensors_of(network).values() for size in tensor.shape}
    longest = _most(lambda count: _passes_equal(network, count, 0), length)
    if longest < length and longest not in sizes:
        return
    if longest < length:
        yield (
            f"samples have {length} tokens, and {name} takes {longest}{_rows(network, longest)}: "
            f"let the builder make {length} positions or more"
            f"{_argument(network, POSITIONS, longest, length)}, or {shorten.format(longest)}"
        )
    known = _most(lambda count: _passes_equal(network, longest, count - 1), highest + 1)
    if known <= highest and known in sizes:
        yield (
            f"the data have tokens up to {highest}, and {name} knows {known}"
            f"{_rows(network, known)}: let the builder make a vocabulary of {vocabulary} or more"
            f"{_argument(network, VOCABULARY, known, vocabulary)}"
        )


def _of_outputs(network: nn.Module, x: Tensor, y: Tensor, classes: int) -> str:
    """Why the outputs for a sample do not fit its targets; empty if they do, or if it fails."""
    try:
        found = predictions(network(x), network)
    except Exception:  # whatever a network raises: its training says more
        return ""
    count = found.shape[-1]
    if y.is_floating_point() or found.shape[:-1] != y.shape or count == classes:
        return ""
    return (
        f"the data have {classes} classes, and {type(network).__name__} returns {count} outputs "
        f"for each target: let the builder make {classes}"
        f"{_argument(network, VOCABULARY, count, classes)}"
    )


def _passes(network: nn.Module, x: Tensor) -> bool:
    """Whether the network takes samples."""
    try:
        network(x)
    except Exception:  # whatever a network raises
        return False
    return True


def _passes_equal(network: nn.Module, length: int, token: int) -> bool:
    """Whether the network takes a sample of a length in which all tokens are equal."""
    return _passes(network, torch.full((1, length), token))


def _most(passes: Callable[[int], bool], count: int) -> int:
    """The largest number up to a count that passes, as all smaller ones do; 0 if none does."""
    return bisect_left(range(1, count + 1), True, key=lambda number: not passes(number))


def _rows(network: nn.Module, count: int) -> str:
    """The embeddings with so many rows, in brackets."""
    paths = [
        path
        for path, module in network.named_modules()
        if isinstance(module, nn.Embedding) and module.num_embeddings == count
    ]
    return f" ({', '.join(paths)})" if paths else ""


def _argument(network: nn.Module, words: tuple[str, ...], count: int, wanted: int) -> str:
    """The numbers of the network's config that decide a count, with the wanted one."""
    config = getattr(network, "config", None)
    named = [
        name
        for name, value in getattr(config, "__dict__", {}).items()
        if type(value) is int and value == count and any(word in name for word in words)
    ]
    texts = ", ".join(f"{name}={wanted}" for name in named)
    return f" ({texts} of its {type(config).__name__})" if named else ""
