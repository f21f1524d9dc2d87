"""The micro study with seeds as needed, and a plan of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tests.workflow.project import STUDY

from hypertransfer.planning.study_plan import StudyPlan
from hypertransfer.studies.study import Study


def look_study(**spending: Any) -> dict[str, Any]:
    """The micro study over two widths and two rates, with 3 seeds, and up to 6 as needed."""
    study = copy.deepcopy(STUDY)
    study["grids"]["sweep"]["axes"] = {
        "optimizer": ["sgd"],
        "shape.width": [4, 8],
        "lr": [0.1, 0.2],
        "seed": "as_needed",
    }
    study["spending"] = {"core_minutes": 60, "seeds": [3, 4, 6], **spending}
    study["figures"][1]["where"] = {"lr": 0.1}
    return study


def planned(
    edit: Callable[[dict[str, Any]], None] = lambda study: None,
    minutes: float = 3.0,
    **spending: Any,
) -> StudyPlan:
    """The plan of the study after an edit."""
    study = look_study(**spending)
    edit(study)
    return StudyPlan(Study.parse(study, "desk"), minutes)
