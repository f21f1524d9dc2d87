"""The downstream probe: loss on other text, and linear probes of features.

The probe is for language models of bytes that are trained on the State of the Union messages.
"""

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

FOLDS = 5  # of the cross-validation
STRENGTH = 0.1  # inverse strength C of the regularisation, on standardised features
PARTIES = ("Democratic", "Republican")  # other parties have few messages


class Probe:
    """Loss on other text, and accuracy of linear probes that classify whole messages.

    `program_loss` and `messages_loss` are mean losses of the next byte on `samples` windows: of
    program text, and of messages that are in neither the training nor the test part.
    `party_accuracy` and `delivery_accuracy` are balanced accuracies (chance: ½) of logistic
    regressions that predict the party of the president, and whether the message was spoken or
    written, from the readout's input averaged over `windows` windows of the message. The accuracies
    are cross-validated over five folds, with all messages of a president in one fold.
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
    """The readout's input averaged over the tokens of each message, shape (messages, features).

    `windows` has the shape (messages, windows, tokens).
    """
    messages, number, context = windows.shape
    readout = residual_stream.module_of(network, Role.OUTPUT)
    means = [
        residual_stream.through(network, readout, part)[0].mean(dim=1)
        for part in windows.reshape(-1, context).split(1024)
    ]
    return torch.cat(means).reshape(messages, number, -1).mean(dim=1).cpu().numpy()


def accuracy(features: np.ndarray, labels: Sequence[str], groups: Sequence[str]) -> float:
    """Cross-validated balanced accuracy of a logistic regression; chance is 1/number of classes.

    Args:
        features: features of shape (samples, features).
        labels: the class of each sample.
        groups: the group of each sample; samples of one group are in one fold.
    """
    classifier = LogisticRegression(C=STRENGTH, max_iter=5000, class_weight="balanced")
    probe = make_pipeline(StandardScaler(), classifier)
    predicted = cross_val_predict(probe, features, labels, groups=groups, cv=GroupKFold(FOLDS))
    return float(balanced_accuracy_score(labels, predicted))
