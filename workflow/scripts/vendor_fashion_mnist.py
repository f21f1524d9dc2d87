"""Make the vendored subset of Fashion-MNIST from the full set: the same bytes every time.

python workflow/scripts/vendor_fashion_mnist.py [DIRECTORY]
"""

import hashlib
import io
import sys
import zipfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hypertransfer.data.fashion_mnist import DIRECTORY, SUBSET_FILE, _split
from hypertransfer.data.files import VENDORED
from hypertransfer.datasets import FASHION_MNIST_SUBSET


def main() -> None:
    """Write the file and print its digest, which stands in datasets.py."""
    directory = Path(sys.argv[1] if len(sys.argv) > 1 else DIRECTORY)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for split, official in (("train", "train"), ("test", "t10k")):
            x, y = _split(directory, official)
            count = getattr(FASHION_MNIST_SUBSET, split)
            for name, array in ((f"{split}_x", x[:count, 0]), (f"{split}_y", y[:count])):
                content = io.BytesIO()
                np.save(content, np.ascontiguousarray(array))
                # A fixed date: np.savez writes the time of day into the file.
                entry = zipfile.ZipInfo(f"{name}.npy", date_time=(2017, 8, 25, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, content.getvalue(), compresslevel=9)
    (VENDORED / SUBSET_FILE).write_bytes(buffer.getvalue())
    print(hashlib.sha256(buffer.getvalue()).hexdigest(), len(buffer.getvalue()))


if __name__ == "__main__":
    main()
