"""Seeds are 63 bits of a digest."""

from __future__ import annotations

from hypertransfer.data.samples import augmentation_seed
from hypertransfer.networks.resolve import parameter_seed
from hypertransfer.runs.seeds import seed_of

# `printf abc | sha256sum` begins with ba7816bf8f01cfea (FIPS 180-2, Appendix B.1).
OF_ABC = 0xBA7816BF8F01CFEA // 2


def test_the_seed_of_a_text_is_half_of_the_first_8_bytes_of_its_digest():
    assert seed_of("abc") == OF_ABC < 2**63


def test_seeds_of_parameters_and_of_steps_are_those_of_their_texts():
    """First 16 hex digits of sha256sum of `3/input.weight` and `3/augment/7`."""
    assert parameter_seed(3, "input.weight") == 0x1EE140463653BA3E // 2
    assert augmentation_seed(3, 7) == 0xDF7234A343A3F34A // 2
