"""Values as JSON can hold them."""

import json
import math

from hypertransfer.runs.json_values import json_values


def test_numbers_that_json_lacks_are_texts_or_null():
    given = {"a": [1, 0.5, math.inf], "b": {"c": (-math.inf, math.nan)}, "d": "text", "e": None}
    plain = json_values(given)
    assert plain == {"a": [1, 0.5, "open"], "b": {"c": ["-open", None]}, "d": "text", "e": None}
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
