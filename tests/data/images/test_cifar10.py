"""CIFAR-10: right values, and refusal of damaged and hostile pickles."""

import dataclasses
import hashlib
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.support.images import DAMAGE, raw

from hypertransfer.catalogue.cards.datasets import CARDS, DatasetError
from hypertransfer.data.images import cifar10


def text(value: bytes) -> bytes:
    """Instructions that push a string of Python 2, in which the official files are written."""
    return pickle.BINSTRING + struct.pack("<i", len(value)) + value


def number(value: int) -> bytes:
    return pickle.BININT + struct.pack("<i", value)


def name(module: str, attribute: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{attribute}\n".encode()


def array(x: np.ndarray) -> bytes:
    """Instructions that push an array as Python 2's numpy wrote them (numpy 1.16, protocol 2)."""
    make = name("numpy.core.multiarray", "_reconstruct") + name("numpy", "ndarray")
    make += number(0) + pickle.TUPLE1 + text(b"b") + pickle.TUPLE3 + pickle.REDUCE
    shape = pickle.MARK + b"".join(map(number, x.shape)) + pickle.TUPLE
    code = text(x.dtype.str.lstrip("|<>").encode())
    dtype = name("numpy", "dtype") + code + number(0) + number(1) + pickle.TUPLE3 + pickle.REDUCE
    order = text(b"|" if x.dtype.itemsize == 1 else b"<")
    state = pickle.MARK + number(3) + order + 3 * pickle.NONE + 2 * number(-1) + number(0)
    dtype += state + pickle.TUPLE + pickle.BUILD
    content = pickle.NEWFALSE + text(x.tobytes())
    return make + pickle.MARK + number(1) + shape + dtype + content + pickle.TUPLE + pickle.BUILD


torch.set_num_threads(1)


def sequence(values: list[bytes]) -> bytes:
    return pickle.EMPTY_LIST + pickle.MARK + b"".join(values) + pickle.APPENDS


def batch_file(data: bytes, labels: bytes) -> bytes:
    """The content of a batch file with these instructions for its data and labels."""
    items = {
        b"batch_label": text(b"training batch 1 of 5"),
        b"labels": labels,
        b"data": data,
        b"filenames": sequence([text(b"truck_s_000036.png")]),
    }
    pairs = b"".join(text(key) + value for key, value in items.items())
    out = pickle.PROTO + b"\x02" + pickle.EMPTY_DICT + pickle.MARK + pairs + pickle.SETITEMS
    return out + pickle.STOP


def write_batch(path: Path, seed: int, n: int = 12) -> tuple[np.ndarray, list[int]]:
    generator = np.random.default_rng(seed)
    x = generator.integers(0, 256, (n, 3072)).astype(np.uint8)
    y = generator.integers(0, 10, n).tolist()
    path.write_bytes(batch_file(array(x), sequence([number(label) for label in y])))
    return x, y


def test_the_batches_of_these_tests_are_pickles(tmp_path):
    x, y = write_batch(tmp_path / "batch", seed=0)
    plain = pickle.loads((tmp_path / "batch").read_bytes(), encoding="bytes")
    assert (plain[b"data"] == x).all()
    assert plain[b"labels"] == y


def test_a_batch_is_read(tmp_path, recwarn):
    x, y = write_batch(tmp_path / "batch", seed=0)
    read_x, read_y = cifar10.read_batch(tmp_path / "batch")
    assert read_x.dtype == np.uint8
    assert (read_x == x.reshape(-1, 3, 32, 32)).all()
    assert read_x[2, 1, 3, 4] == x[2, 1024 + 3 * 32 + 4]  # red, green, blue; row by row
    assert read_y.tolist() == y
    assert not recwarn.list


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A directory of six small batch files, and a card with their digests; their contents."""
    written = {
        file: write_batch(tmp_path / file, seed) for seed, file in enumerate(CARDS["cifar10"].files)
    }
    checksums = {
        file: f"md5:{hashlib.md5((tmp_path / file).read_bytes()).hexdigest()}" for file in written
    }
    card = dataclasses.replace(CARDS["cifar10"], files=checksums)
    monkeypatch.setattr(cifar10, "CIFAR10", card)
    return tmp_path, written


def test_the_whole_set_in_its_order(small):
    directory, written = small
    data = cifar10.load(directory=str(directory))
    test_x, test_y = written.pop("test_batch")
    train_x = np.concatenate([x for x, _ in written.values()])
    shape = (-1, 3, 32, 32)
    assert (raw(data.train_x, cifar10.MEAN, cifar10.STD) == train_x.reshape(shape)).all()
    assert (raw(data.test_x, cifar10.MEAN, cifar10.STD) == test_x.reshape(shape)).all()
    assert data.train_y.tolist() == [label for _, y in written.values() for label in y]
    assert data.test_y.tolist() == test_y
    few = cifar10.load(directory=str(directory), train=30, test=2)
    assert torch.equal(few.train_x, data.train_x[:30])
    assert torch.equal(few.test_y, data.test_y[:2])
    with pytest.raises(DatasetError, match="train: 61 images were asked for; there are 60"):
        cifar10.load(directory=str(directory), train=61)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("file", ["data_batch_1", "data_batch_5", "test_batch"])
def test_damaged_batches_are_refused(small, damage, file):
    directory, _ = small
    DAMAGE[damage](directory / file)
    with pytest.raises(DatasetError, match=rf"{directory}/{file}.*expected md5:.*cifar-10-python"):
        cifar10.load(directory=str(directory))


def test_files_other_than_the_official_ones_are_refused(tmp_path):
    for file in CARDS["cifar10"].files:
        write_batch(tmp_path / file, seed=0)
    with pytest.raises(DatasetError, match=r"data_batch_1.*md5:c99cafc152244af753f735de768cd75f"):
        cifar10.load(directory=str(tmp_path))


@pytest.mark.parametrize("directory", [None, ""])
def test_cifar_needs_a_directory(directory):
    with pytest.raises(DatasetError, match=r"no directory.*cifar-10-python.tar.gz"):
        cifar10.load(directory=directory)


def test_the_constants_agree_with_those_of_another_source():
    # for pixels 0 … 255, rounded to one digit, as much code has them
    np.testing.assert_allclose(cifar10.MEAN, (125.3, 123.0, 113.9), atol=0.051)
    np.testing.assert_allclose(cifar10.STD, (63.0, 62.1, 66.7), atol=0.051)


GOOD_X, GOOD_Y = np.zeros((2, 3072), np.uint8), sequence([number(0), number(9)])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "pickle exhausted"),
        (b"no pickle at all", "official batch file"),
        (pickle.dumps([1, 2]), "TypeError"),
        (pickle.dumps({b"data": [[1]]}), "KeyError"),
        (batch_file(array(GOOD_X), GOOD_Y)[:-400], "official batch file"),
        (batch_file(array(GOOD_X.astype(np.int64)), GOOD_Y), "data are b'i8'"),
        (batch_file(array(GOOD_X[:, 1:]), GOOD_Y), r"shape \(2, 3071\)"),
        (batch_file(array(GOOD_X[0]), GOOD_Y), r"shape \(3072,\)"),
        (batch_file(array(GOOD_X), sequence([number(0)])), "for 2 images"),
        (batch_file(array(GOOD_X), sequence([number(0), number(10)])), "within 0 and 10"),
        (batch_file(array(GOOD_X), sequence([number(-1), number(0)])), "within -1 and 0"),
        (batch_file(array(GOOD_X), sequence([text(b"cat"), text(b"dog")])), "labels are"),
    ],
)
def test_a_file_that_is_no_batch(tmp_path, content, complaint):
    path = tmp_path / "batch"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=rf"(?s){path}.*{complaint}.*cifar-10-python.tar.gz"):
        cifar10.read_batch(path)


class Attack:
    """Unpickled without care, makes a directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_hostile_pickle_runs_nothing(tmp_path, protocol):
    path, harm = tmp_path / "batch", tmp_path / "harm"
    content = pickle.dumps({"data": Attack(harm)}, protocol)
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=rf"{path}.*mkdir, which is not allowed"):
        cifar10.read_batch(path)
    assert not harm.exists()
    pickle.loads(content)
    assert harm.exists()  # so it would have worked on an ordinary reader


@pytest.mark.parametrize(
    ("module", "attribute"),
    [
        ("builtins", "eval"),
        ("__builtin__", "eval"),
        ("os", "system"),
        ("numpy", "load"),
        ("numpy", "dtype.__class__"),
        ("numpy.core.multiarray", "fromfile"),
        ("numpy.core.multiarray", "_reconstruct.__globals__"),
        ("_codecs", "encode"),
        ("hypertransfer.data.images.cifar10", "_array"),
    ],
)
def test_no_name_but_those_of_the_official_files(tmp_path, module, attribute):
    (tmp_path / "batch").write_bytes(batch_file(name(module, attribute), GOOD_Y))
    with pytest.raises(DatasetError, match=rf"the stream names {module}.{attribute}"):
        cifar10.read_batch(tmp_path / "batch")


def test_persistent_ids_are_refused(tmp_path):
    (tmp_path / "batch").write_bytes(batch_file(pickle.PERSID + b"name\n", GOOD_Y))
    with pytest.raises(DatasetError, match="persistent"):
        cifar10.read_batch(tmp_path / "batch")
