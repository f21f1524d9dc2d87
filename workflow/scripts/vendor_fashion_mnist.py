"""Make the vendored subset of Fashion-MNIST from the full set; the bytes are reproducible.

python workflow/scripts/vendor_fashion_mnist.py [DIRECTORY [FILE]]
"""

import hashlib
import io
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hypertransfer.catalogue.cards.datasets import FASHION_MNIST_SUBSET
from hypertransfer.data.files import VENDORED
from hypertransfer.data.images.fashion_mnist import DIRECTORY, SUBSET_FILE, read_split


def subset(directory: Path) -> dict[str, np.ndarray]:
    """The first images, uint8 (n, 28, 28), and labels, uint8 (n,), of the two parts of the set."""
    arrays = {}
    for part, official in (("train", "train"), ("test", "t10k")):
        x, y = read_split(directory, official)
        count = getattr(FASHION_MNIST_SUBSET, part)
        arrays |= {f"{part}_x": x[:count, 0], f"{part}_y": y[:count]}
    return arrays


def npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    """A compressed npz file with fixed dates; numpy's own writer does not guarantee fixed dates."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.save(content, np.ascontiguousarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(2017, 8, 25, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, on every operating system
            archive.writestr(entry, content.getvalue(), compresslevel=9)
    return buffer.getvalue()


def main() -> None:
    """Write the file, and print its size and its digest for `catalogue/cards/datasets.py`."""
    defaults = (DIRECTORY, VENDORED / SUBSET_FILE)
    directory, target = (Path(value) for value in (*sys.argv[1:], *defaults[len(sys.argv) - 1 :]))
    content = npz(subset(directory))
    target.write_bytes(content)
    print(f"{target}: {len(content)} bytes, sha256:{hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
