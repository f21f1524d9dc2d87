"""The downstream probe: what a language model of bytes is good for beside its own text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from hypertransfer.data.text import program_text, state_of_the_union
from hypertransfer.parameterisation.algebra import Role
from hypertransfer.probes.activations import residual_stream
from hypertransfer.probes.checkpoint import View

FOLDS = 5
STRENGTH = 0.1  # of the linear probe's inverse regularisation, on standardised features
PARTIES = ("Democratic", "Republican")  # most messages; the others' parties are few


class Probe:
    """Loss on other text, and what a linear probe of the features says of whole messages.

    `program_loss` is the mean loss of the next byte on program text, `messages_loss` that on the
    messages that no run is trained on or tested with. `party_accuracy` and `delivery_accuracy` are
    balanced accuracies (chance is ½) of a logistic regression that tells presidents' parties, and
    spoken messages from written ones, from the readout's input averaged over `windows` windows of
    a message: five folds, no president in two of them.
    """

    def __init__(self, settings: Mapping[str, Any], seed: int) -> None:
        self.windows, self.samples = int(settings["windows"]), int(settings["samples"])
        self.texts: dict[str, tuple[Tensor, Tensor]] | None = None
        self.messages: state_of_the_union.Messages | None = None

    def at(self, view: View) -> dict[str, Any]:
        """One row of the probe's table."""
        context = view.x.shape[1]
        if self.texts is None or self.messages is None:
            program = program_text.load(
                context=context, tokens="bytes", vocabulary=None, train=1, test=self.samples
            )
            self.texts = {
                "program_loss": (program.test_x, program.test_y),
                "messages_loss": state_of_the_union.left_out(context, self.samples),
            }
            self.messages = state_of_the_union.labelled(context, self.windows)
        losses = {name: _loss(view, *text) for name, text in self.texts.items()}
        features = _features(view.network, self.messages.windows.to(view.x.device))
        known = np.isin(self.messages.parties, PARTIES)
        presidents = self.messages.presidents
        return {
            **losses,
            "party_accuracy": accuracy(
                features[known], self.messages.parties[known], presidents[known]
            ),
            "delivery_accuracy": accuracy(features, self.messages.deliveries, presidents),
            "error": 0.0,
            "converged": True,
            "products": 0,
        }


@torch.no_grad()
def _loss(view: View, x: Tensor, y: Tensor) -> float:
    return float(view.loss(view.network(x.to(view.x.device)), y.to(view.x.device)))


def _features(network: nn.Module, windows: Tensor) -> np.ndarray:
    """The readout's input averaged over the places of each message, (messages, features)."""
    messages, number, context = windows.shape
    readout = residual_stream.input_of(network, Role.OUTPUT)
    given = [residual_stream.through(network, readout, part)[0].mean(dim=1)
             for part in windows.reshape(-1, context).split(1024)]  # fmt: skip
    return torch.cat(given).reshape(messages, number, -1).mean(dim=1).cpu().numpy()


def accuracy(features: np.ndarray, labels: Sequence[str], groups: Sequence[str]) -> float:
    """Balanced accuracy of a linear probe on groups that it has not seen; chance is one class's."""
    classifier = LogisticRegression(C=STRENGTH, max_iter=5000, class_weight="balanced")
    probe = make_pipeline(StandardScaler(), classifier)
    told = cross_val_predict(probe, features, labels, groups=groups, cv=GroupKFold(FOLDS))
    return float(balanced_accuracy_score(labels, told))
