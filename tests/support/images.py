"""Damaged bytes and raw pixels, for tests of loaders of images."""

from pathlib import Path

import numpy as np
import torch
from hypothesis import HealthCheck, settings

from hypertransfer.data import files

WORKFLOW = Path(files.__file__).parents[2]

quick = settings(
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def flipped(content: bytes, position: int, mask: int = 0xFF) -> bytes:
    out = bytearray(content)
    out[position] ^= mask
    return bytes(out)


def raw(x: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> np.ndarray:
    """Pixels as they stand in the files, from normalised ones."""
    out = x * torch.tensor(std)[:, None, None] + torch.tensor(mean)[:, None, None]
    assert (out - out.round()).abs().max() < 1e-3
    return out.round().to(torch.uint8).numpy()


DAMAGE = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "flipped": lambda path: path.write_bytes(flipped(path.read_bytes(), path.stat().st_size // 2)),
}
