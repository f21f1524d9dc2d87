"""Descriptions of tables of past evaluations: every problem has its path."""

from __future__ import annotations

import pytest

from hypertransfer.spaces.tasks.tables import problems

ABOUT = {
    "task": ["data", "width"],
    "loss": "loss",
    "dimensions": {"lr": {"low": 0.01, "high": 1, "log": True}},
}


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"task": "data"}, ("task",), "is not a list of the columns"),
        ({"task": []}, ("task",), "is not a list of the columns"),
        ({"score": "s"}, ("loss",), "write either loss"),
        ({"group": 3}, ("group",), "is not the name of a column"),
        ({"where": [1]}, ("where",), "is not a mapping"),
        ({"colour": 1}, ("colour",), "unknown key; known: task"),
        ({"dimensions": {"lr": {"low": 1}}}, ("dimensions", "lr"), "'high' is missing"),
        ({"dimensions": {}}, ("dimensions",), "is not a mapping of hyperparameters"),
        ({"task": ["data", "data"]}, ("task",), "'data' occurs twice"),
        ({"task": ["data", "lr"]}, ("task",), "'lr' is a dimension, too"),
        ({"loss": "lr"}, ("loss",), "'lr' is a column of task or dimensions, too"),
        ({"dimensions": {"k": {"choices": [1, 2]}}}, ("dimensions",), "are choices only"),
        ({"curves": {"columns": ["a"]}}, ("curves",), "is not {columns"),
        ({"curves": {"columns": ["a"], "work": [0.5]}}, ("curves", "work"), "that ends with 1"),
        ({"curves": {"columns": ["a"], "work": [0.5, 1]}}, ("curves", "work"), "2 shares for 1"),
        (
            {"curves": {"columns": ["lr", "loss"], "work": [0.5, 1]}},
            ("curves", "columns"),
            "'lr' is a column of task or dimensions, too",
        ),
    ],
)
def test_descriptions_that_cannot_be_meant(changes, path, words):
    found = list(problems({**ABOUT, **changes}))
    assert [problem for problem in found if problem.path == path and words in problem.text], found


def test_a_sound_description_has_no_problems():
    assert list(problems(ABOUT)) == []
    assert next(iter(problems("x"))).path == ()
