"""Networks that do not fit their data: what is wrong is told with what would help."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hypertransfer.checkup.fit import misfit, of_tokens
from hypertransfer.data.samples import Samples

SHORTEN = "shorten to {}"


class Table(nn.Module):
    """A table of positions that is no embedding, as many have."""

    def __init__(self, positions=32, vocabulary=64):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, 4)
        self.positions = nn.Parameter(torch.zeros(positions, 4))
        self.readout = nn.Linear(4, vocabulary)

    def forward(self, x):
        return self.readout(self.tokens(x) + self.positions[: x.shape[1]])


def texts(length=32, highest=63, classes=64):
    """Samples of which one of the test part alone has the highest token."""
    x = torch.zeros(6, length, dtype=torch.long)
    x[-1, -1] = highest
    return Samples(x[:4], x[:4], x[4:], x[4:], classes)


def told(network, data, outputs=True):
    return misfit(network, data, SHORTEN, outputs=outputs)


def test_a_network_that_fits_is_no_misfit():
    assert told(Table(), texts()) == ""
    assert told(Table(positions=99), texts()) == ""


def test_samples_longer_than_the_positions_are_told_with_both_ways_out():
    text = told(Table(positions=16), texts())
    assert text == (
        "samples have 32 tokens, and Table takes 16: let the builder make 32 positions or more, or "
        "shorten to 16"
    )


def test_tokens_beyond_the_embedding_are_found_in_any_sample():
    text = told(Table(vocabulary=50), texts())
    assert text == (
        "the data have tokens up to 63, and Table knows 50 (tokens): let the builder make a "
        "vocabulary of 64 or more"
    )


def test_both_are_told_at_once():
    text = told(Table(positions=16, vocabulary=50), texts())
    assert "takes 16" in text
    assert "knows 50" in text


def test_another_number_of_outputs_is_told_unless_the_loss_may_take_it():
    text = told(Table(vocabulary=100), texts())
    assert text == (
        "the data have 64 classes, and Table returns 100 outputs for each target: let the builder "
        "make 64"
    )
    assert told(Table(vocabulary=100), texts(), outputs=False) == ""


def test_outputs_for_features_are_compared_with_classes_too():
    x, y = torch.randn(6, 10), torch.zeros(6, dtype=torch.long)
    data = Samples(x[:4], y[:4], x[4:], y[4:], 3)
    assert "returns 5 outputs" in told(nn.Linear(10, 5), data)
    assert told(nn.Linear(10, 3), data) == ""


def test_other_faults_are_left_to_training():
    class Broken(Table):
        def forward(self, x):
            raise RuntimeError("no")

    assert told(Broken(), texts()) == ""


def test_the_network_stays_as_it_was():
    network = nn.Sequential(Table(), nn.BatchNorm1d(32))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    told(network, texts())
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("changes", "cure"),
    [
        ({"n_positions": 16}, "(n_positions=32 of its GPT2Config)"),
        ({"vocab_size": 50}, "(vocab_size=64 of its GPT2Config)"),
        ({"vocab_size": 500}, "500 outputs for each target: let the builder make 64 (vocab_size"),
        ({"n_embd": 16}, ""),
    ],
)
def test_the_argument_of_a_config_is_named(changes, cure):
    transformers = pytest.importorskip("transformers", reason="needs the package transformers")
    sizes = {"n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 32, "vocab_size": 64}
    ends = {"bos_token_id": None, "eos_token_id": None}
    config = transformers.GPT2Config(**{**sizes, **changes}, **ends)
    text = told(transformers.GPT2LMHeadModel(config), texts())
    assert cure in text
    assert bool(text) == bool(cure)


def test_example_inputs_are_judged_without_data():
    x = torch.zeros(1, 8, dtype=torch.long)
    assert "takes 4: let" in of_tokens(Table(positions=4), x, 1, SHORTEN)
    assert of_tokens(Table(), x, 1, SHORTEN) == ""


class Columns(nn.Module):
    """Two columns with embeddings of their own."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Embedding(64, 4), nn.Embedding(2, 4)
        self.readout = nn.Linear(4, 64)

    def forward(self, x):
        return self.readout(self.first(x[:, 0]) + self.second(x[:, 1]))


class Ended(Table):
    """Reads the token that ends a sample, which each must have."""

    def forward(self, x):
        return super().forward(x)[(x == 63).nonzero()[0, 0] :]


class InPieces(Table):
    """Takes samples of whole pieces."""

    def forward(self, x):
        return super().forward(x.unfold(1, 16, 16).flatten(1) + 0 * x)


def test_samples_of_the_data_decide_and_not_made_up_ones():
    """Networks that refuse most samples with equal tokens, and take those of their data."""
    x = torch.tensor([[63, 1], [5, 0], [7, 1], [8, 0]])
    y = torch.zeros(4, dtype=torch.long)
    assert told(Columns(), Samples(x, y, x, y, 64)) == ""
    ends = torch.zeros(4, 32, dtype=torch.long)
    ends[:, -1] = 63
    assert told(Ended(), Samples(ends, ends, ends, ends, 64)) == ""


def test_lengths_that_no_tensor_has_are_left_to_training():
    assert told(InPieces(positions=99), texts(length=40)) == ""
