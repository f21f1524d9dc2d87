"""Hostile pickles and archives of data sets: nothing in them runs or takes the machine."""

from __future__ import annotations

import gzip
import os
import pickle
import struct
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypertransfer.catalogue.cards.datasets import DatasetError
from hypertransfer.data import files as data_files
from hypertransfer.data.images import cifar10

SEEDED = settings(derandomize=True, deadline=None, max_examples=60)


def glob(module: str, attribute: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{attribute}\n".encode()


class Runs:
    """A pickle that calls a function."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


RECONSTRUCT, DTYPE = glob("numpy.core.multiarray", "_reconstruct"), glob("numpy", "dtype")
EMPTY = RECONSTRUCT + pickle.EMPTY_TUPLE + pickle.REDUCE
SLOTS = pickle.NONE + pickle.EMPTY_DICT + pickle.SHORT_BINSTRING + b"\x04make" + pickle.INT + b"1\n"


def bomb(levels: int) -> bytes:
    """Lists of lists of the same list."""
    out = pickle.EMPTY_LIST
    for _ in range(levels):
        out += pickle.DUP
        out = pickle.EMPTY_LIST + pickle.MARK + out + pickle.APPENDS
    return out


def shared(levels: int) -> bytes:
    """A list that holds another one ten times, and so on: small here, 10^levels written out."""
    out = pickle.EMPTY_LIST + pickle.BINPUT + b"\x00" + pickle.POP
    for level in range(levels):
        again = (pickle.BINGET + bytes([level])) * 10
        out += pickle.EMPTY_LIST + pickle.BINPUT + bytes([level + 1])
        out += pickle.MARK + again + pickle.APPENDS + pickle.POP
    return out + pickle.BINGET + bytes([levels])


def array_state(kind: bytes, shape: bytes, content: bytes) -> bytes:
    state = pickle.MARK + pickle.BININT1 + b"\x01" + shape + kind + pickle.NEWFALSE + content
    return EMPTY + state + pickle.TUPLE + pickle.BUILD


BYTES = DTYPE + pickle.SHORT_BINSTRING + b"\x02u1" + pickle.TUPLE1 + pickle.REDUCE
OBJECTS = DTYPE + pickle.SHORT_BINSTRING + b"\x02O8" + pickle.TUPLE1 + pickle.REDUCE
VAST = pickle.LONG1 + b"\x08" + struct.pack("<q", 2**62) + pickle.TUPLE1
BINARY = pickle.SHORT_BINSTRING + b"\x08" + b"\x41" * 8

HOSTILE = {
    "os.system": pickle.dumps(Runs(os.system, "touch harm"), 2),
    "subprocess": pickle.dumps(Runs(subprocess.call, ["touch", "harm"]), 2),
    "exec": pickle.dumps(Runs(exec, "open('harm', 'w')"), 4),
    "eval by its old name": glob("__builtin__", "eval") + b"(V1\ntR.",
    "getattr": glob("builtins", "getattr") + b"(" + DTYPE + b"V__class__\ntR.",
    "numpy.fromfile": glob("numpy", "fromfile") + b"(V/etc/passwd\ntR.",
    "numpy.memmap": glob("numpy", "memmap") + b"(Vharm\nVu1\nVw+\ntR.",
    "numpy.save": glob("numpy", "save") + b"(Vharm\nV1\ntR.",
    "dotted name": glob("numpy", "dtype.__init__.__globals__") + b".",
    "a class of its own": b"\x80\x02" + DTYPE + b")\x81.",
    "state of a name": RECONSTRUCT + SLOTS + pickle.SETITEM + pickle.TUPLE2 + pickle.BUILD + b".",
    "dict of a name": DTYPE + pickle.EMPTY_DICT + pickle.BUILD + b".",
    "array of objects": array_state(OBJECTS, pickle.INT + b"1\n" + pickle.TUPLE1, BINARY) + b".",
    "array of a vast shape": array_state(BYTES, VAST, BINARY) + b".",
    "array of negative shape": array_state(BYTES, b"I-1\n" + pickle.TUPLE1, BINARY) + b".",
    "persistent name": pickle.PERSID + b"os.system\n.",
    "extension": pickle.EXT1 + b"\x01.",
    "memo at 2^31": b"\x80\x02]" + pickle.LONG_BINPUT + struct.pack("<I", 2**31 - 1) + b".",
    "text of 2^60": b"\x80\x04" + pickle.BINBYTES8 + struct.pack("<Q", 2**60) + b".",
    "text of 3 GB": b"\x80\x03" + pickle.BINBYTES + struct.pack("<I", 3 * 2**30) + b".",
    "deep": pickle.EMPTY_LIST * 10**5 + pickle.APPEND * (10**5 - 1) + b".",
    "shared lists": b"}" + b"U\x04data" + shared(40) + b"sU\x06labels" + shared(40) + b"s.",
    "batch of shared lists": b"}"
    + b"U\x04data"
    + array_state(BYTES, pickle.INT + b"8\n" + pickle.TUPLE1, BINARY)
    + b"sU\x06labels"
    + shared(40)
    + b"s.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused(tmp_path, monkeypatch, bounded, name):
    monkeypatch.chdir(tmp_path)
    before = dict(cifar10._NAMES)
    (tmp_path / "batch").write_bytes(HOSTILE[name])
    with pytest.raises(DatasetError, match="is not an official batch file"):
        cifar10.read_batch(tmp_path / "batch")
    assert [path.name for path in tmp_path.iterdir()] == ["batch"]
    assert before == cifar10._NAMES
    assert [v.make for v in before.values() if v != "ndarray"] == [cifar10._Array, cifar10._Type]


@SEEDED
@given(st.binary(max_size=200), st.integers(0, 5))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content, cut):
    path = tmp_path_factory.mktemp("pickle") / "batch"
    for start in (b"", b"\x80\x02", RECONSTRUCT, BYTES, EMPTY):
        path.write_bytes(start + content)
        with pytest.raises(DatasetError):
            cifar10.read_batch(path)


def test_a_gzip_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(data_files, "MOST_BYTES", 10**6)
    (tmp_path / "x.gz").write_bytes(gzip.compress(bytes(10**7)))
    with pytest.raises(DatasetError, match="unpacks to more than 1000000 bytes"):
        data_files.read(tmp_path / "x.gz", None, "hint", unpack=True)
