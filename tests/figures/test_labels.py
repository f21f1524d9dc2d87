"""Labels: every quantity has one, and every label belongs to a column that exists."""

import pytest

from hypertransfer.catalogue.cards import lmo_presets, probes
from hypertransfer.catalogue.cards.optimizers import OPTIMIZERS
from hypertransfer.claims.measure import LOSS_OR_MEASURED, SHARED
from hypertransfer.figures import arms, labels, sweeps, training
from hypertransfer.parameterisation.tables import PARAMETERISATIONS
from hypertransfer.runs.columns import ALONG_TRAINING, HISTORY, SUMMARY


def test_every_quantity_that_claims_and_figures_name_has_a_label():
    options = SHARED["loss"], LOSS_OR_MEASURED, SHARED["quantity"]
    named = {name for schema in options for name in schema["enum"]}
    named |= {*probes.measured(), *ALONG_TRAINING}
    assert not named - set(labels.QUANTITIES)


def test_every_label_of_a_quantity_names_a_column():
    assert not set(labels.QUANTITIES) - {*probes.measured(), *HISTORY, *SUMMARY}


@pytest.mark.parametrize("names", [training.LOG, arms.FROM_ZERO])
def test_quantities_with_axes_of_their_own_have_labels(names):
    assert set(names) <= set(labels.QUANTITIES)


def test_labels_are_of_parameterisations_optimizers_and_norms_that_there_are():
    assert set(labels.NAMES) <= set(PARAMETERISATIONS)
    assert set(sweeps.OPTIMIZERS) <= set(OPTIMIZERS)
    assert set(arms.NORMS) <= {*lmo_presets.NORMS, lmo_presets.ADAMW, lmo_presets.JOINT}
