"""Fashion-MNIST: the full set, the shipped subset and the script that makes it."""

import gzip
import importlib
import importlib.util
import io
import shutil
import struct
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.support.images import DAMAGE, WORKFLOW

from hypertransfer.catalogue.cards.datasets import CARDS, DatasetError
from hypertransfer.data import files
from hypertransfer.data.images import fashion_mnist

torch.set_num_threads(1)

FULL = Path(fashion_mnist.DIRECTORY)

needs_full = pytest.mark.skipif(
    not FULL.is_dir(), reason=f"no Fashion-MNIST in {FULL}: install dataset-fashion-mnist"
)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_subset_is_refused(tmp_path, monkeypatch, damage):
    path = shutil.copy(files.VENDORED / fashion_mnist.SUBSET_FILE, tmp_path)
    monkeypatch.setattr(fashion_mnist, "VENDORED", tmp_path)
    fashion_mnist.load_subset(train=1, test=1)
    DAMAGE[damage](Path(path))
    with pytest.raises(DatasetError, match=rf"{path}.*expected sha256:7b21f253.*restore it with"):
        fashion_mnist.load_subset(train=1, test=1)


def test_the_notice_beside_the_subset():
    text = (files.VENDORED / "README.md").read_text(encoding="utf-8")
    checksum = CARDS["fashion_mnist_subset"].files[fashion_mnist.SUBSET_FILE]
    assert checksum.removeprefix("sha256:") in text
    assert "The MIT License (MIT)" in text
    assert "Copyright © 2017 Zalando SE" in text
    assert "Permission is hereby granted" in text


def test_a_directory_without_the_files(tmp_path):
    with pytest.raises(
        DatasetError, match=rf"{tmp_path}/train-images-idx3-ubyte.gz is missing.*dataset-fashion"
    ):
        fashion_mnist.load_full(directory=str(tmp_path))


@needs_full
def test_the_full_set_holds_what_was_published():
    data = fashion_mnist.load_full()
    assert data.train_x.shape == (60000, 1, 28, 28)
    assert data.test_x.shape == (10000, 1, 28, 28)
    assert data.train_y.bincount().tolist() == [6000] * 10
    assert data.test_y.bincount().tolist() == [1000] * 10
    assert abs(data.train_x.mean(dtype=torch.float64)) < 2e-4  # the constants have four digits
    assert abs(data.train_x.std() - 1) < 2e-4


@needs_full
def test_the_subset_is_the_start_of_the_full_set():
    subset = fashion_mnist.load_subset()
    start = fashion_mnist.load_full(train=6000, test=2000)
    for name in ("train_x", "train_y", "test_x", "test_y"):
        assert torch.equal(getattr(subset, name), getattr(start, name))


@pytest.fixture
def official(tmp_path) -> Path:
    """A directory of the test part's official files, unpacked."""
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        (tmp_path / name).write_bytes(gzip.decompress((FULL / f"{name}.gz").read_bytes()))
    return tmp_path


@needs_full
def test_unpacked_files_do_as_well(official):
    x, y = fashion_mnist.read_split(official, "t10k")
    packed_x, packed_y = fashion_mnist.read_split(FULL, "t10k")
    assert (x == packed_x).all()
    assert (y == packed_y).all()


@needs_full
@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_damaged_official_files_are_refused(official, damage, name):
    DAMAGE[damage](official / name)
    expected = CARDS["fashion_mnist"].files[name]
    with pytest.raises(DatasetError, match=rf"{official}/{name}.*{expected}.*dataset-fashion-mn"):
        fashion_mnist.read_split(official, "t10k")


def test_idx_reads_sizes_and_values():
    values = np.arange(24, dtype=np.uint8)
    content = b"\x00\x00\x08\x03" + struct.pack(">3I", 2, 3, 4) + values.tobytes()
    assert (fashion_mnist.idx(content) == values.reshape(2, 3, 4)).all()
    with pytest.raises(ValueError, match="not an IDX file"):
        fashion_mnist.idx(b"\x00\x00\x0d\x01" + content[4:])
    with pytest.raises(ValueError, match="reshape"):
        fashion_mnist.idx(content[:-1])


@pytest.fixture(scope="module")
def script():
    path = WORKFLOW / "scripts" / "vendor_fashion_mnist.py"
    spec = importlib.util.spec_from_file_location("vendor_fashion_mnist", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_packed_subset_does_not_depend_on_the_time(script, tmp_path, monkeypatch):
    arrays = {"a": np.arange(100), "b": np.zeros((3, 4), np.uint8)}
    ours, plain = [], []
    for year in (1990, 2020):
        moment = time.struct_time((year, 1, 1, 0, 0, 0, 0, 1, 0))
        with monkeypatch.context() as patch:
            patch.setattr(zipfile.time, "localtime", lambda *_, moment=moment: moment)
            ours.append(script.npz(arrays))
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:
                archive.writestr("a.npy", b"")
            plain.append(buffer.getvalue())
    assert ours[0] == ours[1]
    assert plain[0] != plain[1]  # so the time would have shown
    (tmp_path / "ours.npz").write_bytes(ours[0])
    with np.load(tmp_path / "ours.npz", allow_pickle=False) as loaded:
        assert set(loaded) == set(arrays)
        assert all((loaded[name] == array).all() for name, array in arrays.items())


@needs_full
def test_the_script_makes_the_vendored_arrays_twice_alike(script, tmp_path, monkeypatch):
    for name in ("one", "two"):
        monkeypatch.setattr(sys, "argv", ["vendor", str(FULL), str(tmp_path / name)])
        script.main()
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    vendored = files.VENDORED / fashion_mnist.SUBSET_FILE
    with np.load(tmp_path / "one") as made, np.load(vendored) as kept:
        assert set(made) == set(kept)
        assert all((made[name] == kept[name]).all() for name in kept)
