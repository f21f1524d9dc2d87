"""Program text."""

from tests.support.parts import samples as samples_of

from hypertransfer.catalogue.cards.datasets import WINDOWS
from hypertransfer.data.text import program_text


def test_program_text_is_split_by_file():
    found = samples_of("program_text", context=256)
    assert len(found.train_x) % WINDOWS == 0
    assert found.train_x.numel() > 3e7
    assert 5e5 < samples_of("program_text", context=256, test=None).test_x.numel() < 4e6
    assert program_text.in_test_part("sympy/core/add.py") == program_text.in_test_part(
        "sympy/core/add.py"
    )


def test_program_text_is_there_for_the_probe():
    found = samples_of("program_text", context=16, train=1, test=8)
    assert found.test_x.shape == (8, 16)
