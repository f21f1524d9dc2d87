"""Loaders of images: right values, refusal of anything damaged, and the order of batches."""

import dataclasses
import gzip
import hashlib
import importlib
import importlib.util
import io
import itertools
import os
import pickle
import shutil
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hypertransfer.catalogue.cards import datasets
from hypertransfer.catalogue.cards.datasets import CARDS, DatasetCard, DatasetError
from hypertransfer.data import files, gaussian, samples
from hypertransfer.data.images import cifar10, digits, fashion_mnist, preprocess
from hypertransfer.data.samples import batches

torch.set_num_threads(1)

WORKFLOW = Path(files.__file__).parents[2]
FULL = Path(fashion_mnist.DIRECTORY)
needs_full = pytest.mark.skipif(
    not FULL.is_dir(), reason=f"no Fashion-MNIST in {FULL}: install dataset-fashion-mnist"
)
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


# --- reading files -----------------------------------------------------------------------------

CONTENT = bytes(range(256)) * 8
CARD = DatasetCard(
    name="toy",
    module="nowhere:load",
    input_shape=(1, 1, 1),
    classes=1,
    train=1,
    test=1,
    files={"toy": f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"},
    obtain="ask the maker of toys",
    licence="none",
    source="none",
)


def refused(path: Path, *words: str):
    """An error that names the file, what was expected, and how to get it."""
    return pytest.raises(DatasetError, match=".*".join((str(path), *words, CARD.obtain)))


def test_a_good_file_is_read_plain_and_gzipped(tmp_path):
    (tmp_path / "toy").write_bytes(CONTENT)
    (tmp_path / "toy.gz").write_bytes(gzip.compress(CONTENT))
    assert files.checked(CARD, "toy", tmp_path / "toy") == CONTENT
    assert files.checked(CARD, "toy", tmp_path / "toy.gz") == CONTENT


def test_a_missing_file_is_named(tmp_path):
    with refused(tmp_path / "toy", "missing", CARD.files["toy"], "toy"):
        files.checked(CARD, "toy", tmp_path / "toy")


def test_a_folder_in_place_of_a_file(tmp_path):
    with refused(tmp_path, "cannot be read", CARD.files["toy"]):
        files.checked(CARD, "toy", tmp_path)


def test_another_file_is_told_with_both_digests(tmp_path):
    path = tmp_path / "toy"
    path.write_bytes(b"other")
    found = f"sha256:{hashlib.sha256(b'other').hexdigest()} in 5 bytes"
    with refused(path, CARD.files["toy"], found):
        files.checked(CARD, "toy", path)


@given(position=st.integers(0, len(CONTENT) - 1), mask=st.integers(1, 255))
@quick
def test_a_flipped_byte_in_a_plain_file(tmp_path, position, mask):
    path = tmp_path / "toy"
    path.write_bytes(flipped(CONTENT, position, mask))
    with refused(path, "damaged", CARD.files["toy"]):
        files.checked(CARD, "toy", path)


PACKED = gzip.compress(np.random.default_rng(0).bytes(400) + CONTENT, mtime=0)
PACKED_CARD = dataclasses.replace(
    CARD, files={"toy": f"sha256:{hashlib.sha256(gzip.decompress(PACKED)).hexdigest()}"}
)


@given(position=st.integers(0, len(PACKED) - 1), mask=st.integers(1, 255))
@quick
@example(position=4, mask=1)  # the packing's date: the content is whole
@example(position=0, mask=1)  # no gzip file any more
@example(position=len(PACKED) // 2, mask=255)
@example(position=len(PACKED) - 1, mask=1)
def test_a_flipped_byte_in_a_gzipped_file_never_gets_through(tmp_path, position, mask):
    path = tmp_path / "toy.gz"
    path.write_bytes(flipped(PACKED, position, mask))
    try:
        outcome = files.checked(PACKED_CARD, "toy", path)
    except DatasetError as error:
        outcome = str(error)
    if isinstance(outcome, str):
        assert str(path) in outcome
        assert CARD.obtain in outcome
    else:
        assert outcome == gzip.decompress(PACKED)


@pytest.mark.parametrize("position", [3, 10, 100, 300])
def test_damage_to_the_compressed_stream_is_refused(tmp_path, position):
    path = tmp_path / "toy.gz"
    path.write_bytes(flipped(PACKED, position))
    with refused(path, PACKED_CARD.files["toy"]):
        files.checked(PACKED_CARD, "toy", path)


@given(length=st.integers(0, len(PACKED) - 1))
@quick
@example(length=0)
@example(length=len(PACKED) - 1)
def test_a_truncated_gzipped_file_is_refused(tmp_path, length):
    path = tmp_path / "toy.gz"
    path.write_bytes(PACKED[:length])
    with refused(path, "truncated", PACKED_CARD.files["toy"]):
        files.checked(PACKED_CARD, "toy", path)


# --- tensors -----------------------------------------------------------------------------------


def test_normalised_is_per_channel():
    x = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 4)).astype(np.uint8)
    mean, std = (10.0, 20.0, 30.0), (1.0, 2.0, 4.0)
    truth = (x.astype(float) - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    out = preprocess.normalised(x, mean, std)
    assert out.dtype == torch.float32
    np.testing.assert_allclose(out.numpy(), truth, rtol=1e-6)


def test_normalised_leaves_float_input_alone():
    x = np.ones((2, 1, 2, 2), np.float32)
    preprocess.normalised(x, (0.5,), (2.0,))
    assert (x == 1).all()


@pytest.mark.parametrize("load", [digits.load, fashion_mnist.load_subset])
@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("size", [-1, 0, 1_000_000])
def test_sizes_beyond_the_set(load, part, size):
    with pytest.raises(DatasetError, match=rf"{part}: {size} images were asked for; there are"):
        load(**{part: size})


@pytest.mark.parametrize("load", [digits.load, fashion_mnist.load_subset])
def test_sizes_take_from_the_start(load):
    few, whole = load(train=7, test=3), load()
    for part, size in (("train", 7), ("test", 3)):
        x, y = getattr(few, f"{part}_x"), getattr(few, f"{part}_y")
        assert len(x) == len(y) == size
        assert torch.equal(x, getattr(whole, f"{part}_x")[:size])
        assert torch.equal(y, getattr(whole, f"{part}_y")[:size])


@pytest.mark.parametrize("name", ["digits", "fashion_mnist_subset"])
def test_what_comes_along_is_as_its_card_says(name):
    card = CARDS[name]
    module, _, attribute = card.module.partition(":")
    data = getattr(importlib.import_module(module), attribute)()
    assert data.train_x.shape == (card.train, *card.input_shape)
    assert data.test_x.shape == (card.test, *card.input_shape)
    assert data.train_x.dtype == data.test_x.dtype == torch.float32
    assert data.train_y.dtype == data.test_y.dtype == torch.int64
    assert data.classes == card.classes
    for y in (data.train_y, data.test_y):
        assert y.unique().tolist() == list(range(card.classes))


def test_images_move_together():
    data = digits.load(train=5, test=5)
    moved = data.to(torch.device("meta"))
    assert all(
        getattr(moved, f"{part}_{side}").is_meta for part in ("train", "test") for side in "xy"
    )
    assert not data.train_x.is_meta


# --- digits ------------------------------------------------------------------------------------


def test_digits_are_those_of_scikit_learn():
    truth = importlib.import_module("sklearn.datasets").load_digits()
    order, data = digits.order(len(truth.target)), digits.load()
    assert sorted(order) == list(range(1797))
    x = np.concatenate([raw(part, digits.MEAN, digits.STD) for part in (data.train_x, data.test_x)])
    assert (x[:, 0] == truth.images[order]).all()
    assert torch.cat([data.train_y, data.test_y]).tolist() == truth.target[order].tolist()


def test_the_digits_order_is_by_digest():
    hashes = [hashlib.sha256(str(row).encode()).hexdigest() for row in digits.order(1797)]
    assert hashes == sorted(hashes)


def test_the_digits_constants_are_those_of_the_training_images():
    x = digits.load().train_x
    assert abs(x.mean()) < 1e-5
    assert abs(x.std(correction=0) - 1) < 1e-5


def test_digits_need_no_import_of_scikit_learn():
    code = (
        "import sys; from hypertransfer.data.images import digits; digits.load();"
        "print('sklearn' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=WORKFLOW, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "False"


def test_digits_without_scikit_learn(monkeypatch):
    monkeypatch.setattr(digits, "find_spec", lambda name: None)
    with pytest.raises(DatasetError, match=r"digits.csv.gz is missing.*install scikit-learn"):
        digits.load()


DAMAGE = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "flipped": lambda path: path.write_bytes(flipped(path.read_bytes(), path.stat().st_size // 2)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_digits_are_refused(tmp_path, monkeypatch, damage):
    path = shutil.copy(digits.path(), tmp_path / digits.FILE)
    monkeypatch.setattr(digits, "path", lambda: path)
    digits.load()
    DAMAGE[damage](path)
    with pytest.raises(DatasetError, match=rf"{path}.*expected sha256:09f66e6d.*scikit-learn"):
        digits.load()


# --- Fashion-MNIST -----------------------------------------------------------------------------


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


# --- the script that makes the subset ----------------------------------------------------------


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


# --- CIFAR-10 ----------------------------------------------------------------------------------


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
    with pytest.raises(DatasetError, match=rf"asks for {module}.{attribute}"):
        cifar10.read_batch(tmp_path / "batch")


def test_persistent_ids_are_refused(tmp_path):
    (tmp_path / "batch").write_bytes(batch_file(pickle.PERSID + b"name\n", GOOD_Y))
    with pytest.raises(DatasetError, match="persistent"):
        cifar10.read_batch(tmp_path / "batch")


# --- the order of batches ----------------------------------------------------------------------

EPOCHS = 3
shapes = st.integers(1, 120).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))
seeds = st.integers(0, 2**40)


def epochs(n: int, batch_size: int, seed: int) -> list[list[torch.Tensor]]:
    order = batches(n, batch_size, seed)
    return [list(itertools.islice(order, n // batch_size)) for _ in range(EPOCHS)]


@given(shape=shapes, seed=seeds)
@quick
def test_an_epoch_shows_no_sample_twice(shape, seed):
    n, batch_size = shape
    for epoch in epochs(n, batch_size, seed):
        assert all(index.shape == (batch_size,) and index.dtype == torch.int64 for index in epoch)
        seen = torch.cat(epoch)
        assert seen.min() >= 0
        assert seen.max() < n
        assert len(seen.unique()) == len(seen) == n - n % batch_size


@given(shape=shapes, seed=seeds)
@quick
def test_the_order_is_the_documented_one(shape, seed):
    n, batch_size = shape
    for e, epoch in enumerate(epochs(n, batch_size, seed)):
        drawn = int(hashlib.sha256(f"{seed}/epoch/{e}".encode()).hexdigest()[:16], 16) // 2
        order = torch.randperm(n, generator=torch.Generator().manual_seed(drawn))
        assert torch.equal(torch.cat(epoch), order[: n - n % batch_size])


@given(shape=shapes, seed=seeds, noise=st.integers(0, 100))
@quick
def test_the_order_depends_on_nothing_else(shape, seed, noise):
    first = epochs(*shape, seed)
    torch.manual_seed(noise)
    state = torch.get_rng_state()
    again = epochs(*shape, seed)
    assert torch.equal(torch.get_rng_state(), state)
    for one, two in zip(first, again, strict=True):
        assert torch.equal(torch.cat(one), torch.cat(two))


@given(n=st.integers(30, 120), seed=seeds, other=seeds)
@quick
@example(n=30, seed=0, other=1)
@example(n=30, seed=1, other=2**32 + 1)
def test_seeds_and_epochs_differ(n, seed, other):
    one, two = epochs(n, n, seed), epochs(n, n, other)
    orders = {tuple(torch.cat(epoch).tolist()) for epoch in one + two}
    assert len(orders) == (EPOCHS if seed == other else 2 * EPOCHS)


@pytest.mark.parametrize(("n", "batch_size"), [(3, 4), (0, 1), (3, 0), (3, -1)])
def test_a_batch_beyond_the_data_is_refused_at_once(n, batch_size):
    with pytest.raises(ValueError, match=f"batch_size {batch_size} is not between 1 and the {n}"):
        batches(n, batch_size, seed=0)


# Augmentation ------------------------------------------------------------------------------


def test_augmentation_shifts_each_image_by_its_own_amount():
    x = torch.arange(1.0, 65).reshape(1, 1, 8, 8).expand(50, 1, 8, 8).contiguous()
    found = preprocess.shifted(1, flip=False)(x, seed=3)
    padded = torch.nn.functional.pad(x[:1], (1,) * 4, value=1.0)
    possible = [padded[0, :, i : i + 8, j : j + 8] for i in range(3) for j in range(3)]
    kinds = {next(k for k, p in enumerate(possible) if torch.equal(p, one)) for one in found}
    assert len(kinds) == 9


def test_augmentation_is_a_function_of_its_seed():
    x = torch.randn(20, 3, 8, 8)
    augment = preprocess.shifted(2, flip=True)
    assert torch.equal(augment(x, 1), augment(x, 1))
    assert not torch.equal(augment(x, 1), augment(x, 2))
    assert samples.augmentation_seed(0, 1) != samples.augmentation_seed(1, 0)


def test_flips_mirror_about_half_of_the_images():
    x = torch.randn(400, 1, 4, 4)
    found = preprocess.shifted(0, flip=True)(x, seed=0)
    mirrored = torch.tensor([torch.equal(a, b.flip(-1)) for a, b in zip(found, x, strict=True)])
    kept = torch.tensor([torch.equal(a, b) for a, b in zip(found, x, strict=True)])
    assert bool((mirrored | kept).all())
    assert 0.4 < float(mirrored.float().mean()) < 0.6


@pytest.mark.parametrize("name", ["digits", "fashion_mnist_subset"])
def test_loaders_augment_when_asked(name):
    module, _, attribute = datasets.card(name).module.partition(":")
    load = getattr(importlib.import_module(module), attribute)
    assert load(train=8, test=8).augment is None
    data = load(train=8, test=8, augment=True)
    assert data.augment(data.train_x, 0).shape == data.train_x.shape


def test_random_data_are_the_same_every_time_with_targets_of_unit_size():
    a, b = gaussian.load(), gaussian.load()
    assert torch.equal(a.train_x, b.train_x)
    assert a.train_x.shape == (64, 1, 1, 20)
    assert a.train_y.is_floating_point()
    assert 0.4 < float(torch.cat([a.train_y, a.test_y]).std()) < 2
