"""A trained decoder that several probes look at."""

from __future__ import annotations

import pytest
from tests.support.decoder_probes import trained_decoder


@pytest.fixture(scope="session")
def decoder_run():
    return trained_decoder()
