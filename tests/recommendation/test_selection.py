"""Arms of a study, and those of several grids as one."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from tests.support.recommendation import RATES
from tests.support.specs import VALID

from hypertransfer.analysis.estimate import AnalysisError
from hypertransfer.catalogue.complete import run_spec
from hypertransfer.recommendation.selection import arms, joined
from hypertransfer.runs.spec import Component, RunSpec, Shape

SPEC = run_spec({**VALID, "shape": {"width": 4, "depth": 1}, "base": {"width": 4, "depth": 1}})


def resized(width: int = 4, depth: int = 1, **changes) -> RunSpec:
    return replace(SPEC, shape=Shape(width, depth), **changes)


def rows_of(grid: str, *specs: RunSpec) -> pd.DataFrame:
    """Runs of a grid: each spec at all rates. Keys are of the size and the rate."""
    rows = [
        {"grid": grid, "key": f"{spec.shape} {spec.steps} {rate}", "final_loss": 1.0}
        | {**spec.columns(), "lr": 2.0**rate}
        for spec in specs
        for rate in RATES
    ]
    return pd.DataFrame(rows)


def read(*specs: RunSpec):
    """A reader of specs by the key of a run."""
    by_size = {f"{spec.shape} {spec.steps}": spec for spec in specs}
    return lambda key: by_size[key.rpartition(" ")[0]]


def test_sweeps_over_width_and_depth_are_one_arm_and_share_the_base():
    base, wide, deep = resized(), resized(16), resized(4, 8)
    runs = pd.concat([rows_of("width", base, wide), rows_of("depth", base, deep)])
    arm = joined(list(arms(runs)), read(base, wide, deep))
    assert arm.grids == ("width", "depth")
    assert arm.label == "width depth"
    sizes = arm.runs.groupby(["shape.width", "shape.depth"])["lr"].nunique()
    assert dict(sizes) == {(4, 1): len(RATES), (16, 1): len(RATES), (4, 8): len(RATES)}
    assert len(arm.runs) == 3 * len(RATES)


def test_a_single_arm_is_itself_and_no_spec_is_read():
    (arm,) = arms(rows_of("width", resized()))
    assert joined([arm], None) is arm


def test_a_base_that_follows_the_size_is_no_difference():
    short, long = resized(steps=10, base_steps=10), resized(steps=40, base_steps=40)
    found = list(arms(pd.concat([rows_of("a", short), rows_of("b", long)])))
    assert set(joined(found, read(short, long)).runs["steps"]) == {10, 40}


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"optimizer": Component("sgd", {"momentum": 0.9})}, "optimizer"),  # in no column
        ({"weight_decay": 0.3}, "weight_decay"),
        ({"base": Shape(8, 1)}, "base.width"),
        ({"base": Shape(4, 2)}, "base.depth"),
        ({"base_steps": 7}, "base_steps"),
        ({"base_batch_size": 7}, "base_batch_size"),
    ],
)
def test_arms_that_differ_in_more_than_the_size_are_not_joined(other, named):
    base, wide = resized(), resized(16, **other)
    found = list(arms(pd.concat([rows_of("a", base), rows_of("b", wide)])))
    with pytest.raises(AnalysisError, match=rf"they differ in {named}$"):
        joined(found, read(base, wide))


@pytest.mark.parametrize("loss", [1.0, 1.5])
def test_a_run_whose_loss_is_recorded_at_other_steps_counts_once_or_not_at_all(loss):
    """Two rows of one size, rate and seed would not be two seeds."""
    base, often = resized(), resized(eval_every=1)
    other = rows_of("b", often).assign(final_loss=loss)
    other["key"] = "often " + other["key"]
    found = list(arms(pd.concat([rows_of("a", base), other])))
    specs = {
        key: often if key.startswith("often") else base for arm in found for key in arm.runs["key"]
    }
    if loss == 1.0:
        assert len(joined(found, specs.__getitem__).runs) == len(RATES)
    else:
        with pytest.raises(AnalysisError, match="log_every and eval_every give one run"):
            joined(found, specs.__getitem__)
