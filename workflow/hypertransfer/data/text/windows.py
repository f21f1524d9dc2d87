"""Text as windows of tokens: documents are tokenised, joined, and cut into windows."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hypertransfer.catalogue.cards.datasets import (
    BYTES,
    WINDOWS,
    DatasetError,
    TextCard,
)
from hypertransfer.data.samples import Samples

SEPARATOR = b"\n\n"  # after every document


@dataclass(frozen=True)
class Documents:
    """The documents of the training and the test part, in order."""

    train: Sequence[bytes]
    test: Sequence[bytes]


def assemble(
    name: str,
    documents: Documents,
    *,
    context: int,
    tokens: str,
    vocabulary: int | None,
    train: int | None,
    test: int | None,
) -> Samples:
    """Windows of `context` tokens as `Samples`: x and y of shape (n, context).

    y holds the token after each token of x. Windows do not overlap. If the training part has 1,024
    windows or more, their number is rounded down to a multiple of 1,024: then all batch sizes that
    divide 1,024 give the same windows in the same order, also over several epochs.

    Args:
        name: the name of the data set, for messages.
        documents: the documents of both parts.
        context: the number of tokens in a window.
        tokens: `bytes`, or `bpe` for byte-pair encoding, which is learned from the training part.
        vocabulary: the number of tokens of byte-pair encoding.
        train: number of training windows, evenly spaced over the part (None: all).
        test: number of test windows, evenly spaced over the part (None: all).

    Raises:
        DatasetError: more windows are requested than there are, or more tokens than byte-pair
            encoding finds.
    """
    encode = ByteTokens() if tokens == BYTES else BPE(documents.train, vocabulary)
    parts: list[Tensor] = []
    for part, found, number in (("train", documents.train, train), ("test", documents.test, test)):
        stream = encode(found) if found else torch.empty(0, dtype=torch.int64)
        enough = len(stream) > context
        windows = stream.unfold(0, context + 1, context) if enough else torch.empty(0, context + 1)
        whole = len(windows) - len(windows) % WINDOWS if part == "train" else len(windows)
        windows = windows[: whole or len(windows)]
        parts += [*_spread(name, part, windows, number)]
    return Samples(*parts, classes=encode.vocabulary)


def _spread(name: str, part: str, windows: Tensor, number: int | None) -> tuple[Tensor, Tensor]:
    wanted = len(windows) if number is None else number
    if not 1 <= wanted <= len(windows):
        fewer = f"write `{part}: {len(windows)}`, or " if len(windows) else ""
        raise DatasetError(
            f"{name}: {part}: {wanted} windows were asked for; there are {len(windows)}: "
            f"{fewer}give a shorter context"
        )
    if wanted < len(windows):
        windows = windows[torch.arange(wanted) * len(windows) // wanted]
    return windows[:, :-1], windows[:, 1:]


class ByteTokens:
    """Tokens that are single bytes."""

    vocabulary = 256

    def __call__(self, documents: Iterable[bytes]) -> Tensor:
        """The tokens of all documents, each followed by the separator: int64, shape (tokens,)."""
        joined = b"".join(document + SEPARATOR for document in documents)
        return torch.from_numpy(np.frombuffer(joined, np.uint8).astype(np.int64))


class BPE:
    """Byte-level byte-pair encoding (Sennrich et al. 1508.07909), learned from documents.

    Bytes that are not valid UTF-8 are replaced by U+FFFD.

    Raises:
        DatasetError: the documents give fewer tokens than `vocabulary`.
    """

    def __init__(self, documents: Iterable[bytes], vocabulary: int) -> None:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # a job has one thread
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

        self.vocabulary = vocabulary
        self.tokenizer = Tokenizer(models.BPE())
        self.tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        self.tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocabulary,
            show_progress=False,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        )
        self.tokenizer.train_from_iterator(map(_text, documents), trainer)
        if (size := self.tokenizer.get_vocab_size()) < vocabulary:
            raise DatasetError(
                f"vocabulary: {vocabulary} tokens were asked for, but byte-pair encoding of the "
                f"training part gives only {size}: ask for fewer"
            )

    def __call__(self, documents: Iterable[bytes]) -> Tensor:
        """The tokens of all documents, each followed by the separator: int64, shape (tokens,)."""
        texts = [_text(document + SEPARATOR) for document in documents]
        encoded = self.tokenizer.encode_batch(texts)
        return torch.from_numpy(np.concatenate([np.array(e.ids, np.int64) for e in encoded]))


def _text(document: bytes) -> str:
    return document.decode("utf-8", errors="replace")


def check(card: TextCard, documents: Sequence[bytes]) -> None:
    """Compare the digest of the joined documents with the card's.

    Raises:
        DatasetError: the digests differ.
    """
    found = f"sha256:{hashlib.sha256(SEPARATOR.join(documents)).hexdigest()}"
    if found != card.digest:
        raise DatasetError(
            f"{card.name}: the digest of its {len(documents)} files, joined by blank lines, is not "
            f"that of the card: expected {card.digest}, found {found}; {card.obtain}"
        )


def package(card: TextCard, name: str, version: str) -> Path:
    """The folder of an installed package, found without importing it.

    Raises:
        DatasetError: the package is missing, or has another version.
    """
    found = find_spec(name)
    if found is None or found.origin is None:
        raise DatasetError(f"{card.name}: the package {name} is missing; {card.obtain}")
    installed = importlib.metadata.version(name)
    if installed != version:
        raise DatasetError(
            f"{card.name}: {name} has version {installed}, and the text is that of {version}; "
            f"{card.obtain}"
        )
    return Path(found.origin).parent
