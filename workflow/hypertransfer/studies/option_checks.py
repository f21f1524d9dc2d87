"""Check names in options of figures and claims: columns, arms, grids, probes, replays and regions.

The keywords of the options' schemas, which `catalogue.options` lists, say what a name refers to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypertransfer.catalogue.cards import probes
from hypertransfer.catalogue.options import Option
from hypertransfer.runs.conditions import matches
from hypertransfer.runs.numbers import is_number
from hypertransfer.runs.problem import NO_VALUE, Problem, known_names
from hypertransfer.runs.table_values import in_table, name_of
from hypertransfer.studies.document import condition_text, flow
from hypertransfer.studies.planned import Planned, PlannedRun, Row

_KEYWORDS = {
    "column_of", "value_of", "value_in", "keys_of", "measured", "within_budget",
}  # fmt: skip
MOST_SHOWN = 20  # values that a message lists


@dataclass(frozen=True)
class Selection:
    """What a figure or a measure selects: rows, and the values of all its options.

    Attributes:
        planned: what is known of the tables.
        options: the values of all options.
        runs: the selected runs.
        table: the table of the measure.
        rows: the selected rows of that table, unless it is the table of runs.
        texts: whether arms are named by texts, also those that are numbers.
    """

    planned: Planned
    options: Mapping[str, Any]
    runs: Sequence[PlannedRun]
    table: str = "runs"
    rows: Sequence[Row] = ()
    texts: bool = False

    def problems(self, schema: Option, value: Any) -> Iterator[Problem]:
        """Problems of the names in the value of an option; paths start at the value."""
        for path, part, name, beside in _names(schema, value):
            selection = self._of_part(beside) if {"column_of", "keys_of"} & set(part) else self
            if text := selection._fault(part, name):
                yield Problem(path, NO_VALUE, text)

    def _of_part(self, beside: Mapping[str, Any]) -> Selection:
        """The selection of a part with options of its own, which reads the grid that it names."""
        if not beside:
            return self
        runs = [run for run in self.runs if run.row["grid"] == beside.get("grid")]
        return replace(self, options=beside, runs=runs)

    def _fault(self, schema: Option, name: Any) -> str:
        """What is wrong with a name; empty if nothing is, or if it is not known yet."""
        if "keys_of" in schema:
            return self._title_fault(schema["keys_of"], name)
        if "within_budget" in schema:
            return self._budget_fault(name)
        if name == "" and schema.get("minLength") == 0:
            return ""  # an option that is not used
        if "column_of" in schema:
            return self._column_fault(schema, name) or self._count_fault(schema, name)
        if "value_of" in schema or "value_in" in schema:
            return self._value_fault(schema, name)
        return self.unmeasured(name, schema["measured"]) if "measured" in schema else ""

    def _column_fault(self, schema: Option, name: str) -> str:
        table = schema["column_of"]
        if table != "runs":
            known = self.planned.columns(table, self.rows) if self.rows else []
            missing = bool(known) and name not in known
            text = f"no column {name!r}; {known_names(name, known)}" if missing else ""
            return text or self._task_fault(schema, name, {row["suite"] for row in self.rows})
        return self._run_column_fault(name, schema.get("numbers", ""))

    def _run_column_fault(self, name: str, numbers: str) -> str:
        columns = {run.row["grid"]: run.row.keys() for run in self.runs}  # all runs have the same
        if lacking := [grid for grid, known in columns.items() if name not in known]:
            known = dict.fromkeys(key for run in self.runs for key in run.row)
            if len(lacking) == len(columns):
                shown = self._numeric(known, numbers) if numbers else known
                return f"no column {name!r}; {known_names(name, shown)}"
            return (
                f"the runs of the grid {', '.join(lacking)} have no column {name!r}: select other "
                "grids in where"
            )
        if numbers and (wrong := _no_number((run.row[name] for run in self.runs), numbers)):
            noun = "a positive number" if numbers == "positive" else "a number"
            known = self._numeric(columns and self.runs[0].row, numbers)
            return f"{name!r} holds {wrong[0]!r}, which is not {noun}; {known_names(name, known)}"
        if any(run.row[name] is None for run in self.runs):
            return f"{name!r} is null in some runs: select the others in where, or give it a value"
        return ""

    def _count_fault(self, schema: Option, name: str) -> str:
        """What is wrong with the number of values of a column; empty if there are enough."""
        least = schema.get("least_values", 0)
        values = self.values("runs", name) if least else []
        if not self.runs or len(values) >= least:
            return ""
        listed = ", ".join(map(str, values))
        return f"{least} values of {name} have to be selected, and only {listed} is"

    def _numeric(self, names: Any, numbers: str) -> list[str]:
        """The columns among `names` that hold numbers in every selected run that has them."""
        values = {name: [r.row[name] for r in self.runs if name in r.row] for name in names}
        return [name for name, held in values.items() if not _no_number(held, numbers)]

    def _task_fault(self, schema: Option, name: str, suites: set[str]) -> str:
        """What is wrong with a column of tasks that should hold numbers."""
        if "numbers" not in schema:
            return ""
        for row in self.planned.rows.get("tasks", ()):
            if row["column"] != name or row["suite"] not in suites:
                continue
            grids = [grid for grid in row.get("grids", ()) if grid in self.planned.runs]
            chosen = self.planned.selected({"grid": grids}) if grids else []
            values = [run.row[name] for run in chosen if name in run.row]
            if not row.get("numbers", True) or _no_number(values, schema["numbers"]):
                return f"{name!r} holds no numbers in the suite {row['suite']}: name a size"
        return ""

    def _value_fault(self, schema: Option, name: Any) -> str:
        if "value_of" in schema:
            table, column = schema["value_of"]
        else:
            table, column = self.table, str(self.options[schema["value_in"]])
        if "of_each" in schema:
            return self._fault_in_each(schema, table, column, name)
        known = self.values(table, column)
        if self.texts and "value_in" in schema:
            known = list(dict.fromkeys(map(name_of, known)))
        return "" if not known or name in known else _no_value(column, name, known)

    def _fault_in_each(self, schema: Option, table: str, column: str, name: str) -> str:
        """What is wrong with a name that rows of each value of another option should have."""
        option, owner = schema["of_each"]
        values = self.options.get(option)
        if not isinstance(values, list):  # which is a problem of its own
            known = self.values(table, column)
            return "" if not known or name in known else _no_value(column, name, known)
        for value in values:
            rows = [row for row in self.planned.rows.get(table, ()) if row.get(owner) == value]
            known = list(dict.fromkeys(row[column] for row in rows if column in row))
            if known and name not in known:
                return f"{owner} {value}: {_no_value(column, name, known)}"
            if not known and self.values(table, owner) and value in self.values("replays", owner):
                return f"{owner} {value} has no {column}"
            if table == "tasks" and (text := self._task_fault(schema, name, {value})):
                return text
        return ""

    def values(self, table: str, column: str) -> list[Any]:
        """The values of a column of selected rows that are known, as tables hold them."""
        if table == "runs":
            rows: Sequence[Row] = [run.row for run in self.runs]
        else:
            rows = self.rows if table == self.table else self.planned.rows.get(table, ())
        return list(dict.fromkeys(in_table(row[column]) for row in rows if column in row))

    def _title_fault(self, sources: Sequence[Any], name: str) -> str:
        """What is wrong with the key of a title: neither this figure nor the study has the name.

        Figures of a study may share one mapping of titles, of which each shows a part.
        """
        known: dict[str, None] = {}
        for source in sources:
            table, column = source if isinstance(source, list) else ("runs", self.options[source])
            known |= dict.fromkeys(map(name_of, self.values(table, column)))
        if not known or name in known or name in self.planned.names:
            return ""
        return f"nothing in the study has this name; {known_names(name, known)}"

    def _budget_fault(self, evaluations: int) -> str:
        replays = {row["replay"] for row in self.rows}
        for row in self.planned.rows.get("budgets", ()):
            if row["replay"] in replays and evaluations > row["budget"]:
                return (
                    f"{evaluations} is beyond the budget of the replay {row['replay']}: "
                    f"{row['budget']} evaluations"
                )
        return ""

    def measuring(self, quantity: str) -> list[tuple[PlannedRun, list[str]]]:
        """The selected runs, each with the probes of a quantity that the options allow.

        Of the quantities of a figure, the option `probe` concerns those that this probe measures.
        """
        wanted = self.options.get("probe")
        probed = [(run, self.planned.probes_of(run, quantity)) for run in self.runs]
        if "quantity" not in self.options and not any(wanted in names for _, names in probed):
            wanted = None
        return [(run, [n for n in names if wanted in (None, n)]) for run, names in probed]

    def unmeasured(self, quantity: str, which: str) -> str:
        """Why the selected runs lack a quantity; empty if it is measured, or known without probe.

        `which` is `every` if one probe has to measure every run, and `once` if one probe has to
        measure some runs.
        """
        if quantity not in probes.COLUMNS or not self.runs or not self.planned.probes:
            return ""
        runs = self.measuring(quantity)
        names = list(dict.fromkeys(name for _, found in runs for name in found))
        if not names:
            return self._no_probe(quantity)
        wanted = self.options.get("probe")
        bare = _bare_runs(runs, self.planned) if wanted in names else []
        if elsewhere := [run for run in bare if self.planned.probes_of(run, quantity)]:
            return (
                f"the probe {wanted} does not measure {quantity} in the grid "
                f"{elsewhere[0].row['grid']}, where another probe does: select other grids in where"
            )
        if len(names) > 1:
            remedy = (
                "name one as the option probe" if "probe" in self.options else "choose in where"
            )
            return f"{quantity} is measured by several probes, {', '.join(names)}: {remedy}"
        if which == "every":
            seeds = self._common_seeds()
            compared = [pair for pair in runs if pair[0].row["seed"] in seeds]
            return _unmeasured_runs(quantity, compared, self.planned)
        return ""

    def _common_seeds(self) -> set[int]:
        """The seeds that every selected size has; a comparison leaves out runs of the others."""
        seeds: dict[Any, set[int]] = {}
        size = self.options.get("size")
        for run in self.runs:
            seeds.setdefault(run.row.get(size), set()).add(run.row["seed"])
        return set.intersection(*seeds.values())

    def _no_probe(self, quantity: str) -> str:
        wanted = self.options.get("probe")
        names = [name for run in self.runs for name in self.planned.probes_of(run, quantity)]
        known = list(dict.fromkeys(names))
        if wanted is not None and known:
            text = f"no probe {wanted!r} of the selected runs measures {quantity}"
            return f"{text}; {known_names(wanted, known)}"
        kinds = [kind for kind, card in probes.PROBES.items() if quantity in card.columns]
        elsewhere = [
            grid
            for grid, own in self.planned.probes.items()
            if any(probe.probe in kinds for probe in own.values())
        ]
        where = f"; grids with one: {', '.join(elsewhere)}" if elsewhere else ""
        needs = f"{quantity} needs a probe of the kind {' or '.join(kinds)}"
        return f"{needs}, and no selected run has one{where}"


Name = tuple[tuple[str, ...], Option, Any, Mapping[str, Any]]


def _names(
    schema: Option, value: Any, path: tuple[str, ...] = (), beside: Mapping[str, Any] | None = None
) -> Iterator[Name]:
    """Each name in a value that refers to something: path, schema, name, and the mapping it is in.

    The mapping is empty for names that are in no mapping.
    """
    beside = beside or {}
    if "keys_of" in schema:
        yield from (((*path, key), schema, key, beside) for key in value)
    elif _KEYWORDS & set(schema):
        separator = schema.get("separator")
        names = [name.strip() for name in value.split(separator)] if separator else [value]
        yield from ((path, schema, name, beside) for name in names)
    if "items" in schema:
        for index, inner in enumerate(value):
            yield from _names(schema["items"], inner, (*path, str(index)), beside)
    for key, inner in schema.get("properties", {}).items():
        if key in value:
            yield from _names(inner, value[key], (*path, key), value)


def _no_value(column: str, name: Any, known: Sequence[Any]) -> str:
    return f"no {column} {name!r}; {known_names(name, known, most=MOST_SHOWN)}"


def _no_number(values: Any, numbers: str) -> list[Any]:
    """The first value that is no number, or not positive if numbers should be; in a list."""
    for value in values:
        if not is_number(value) or (numbers == "positive" and value <= 0):
            return [value]
    return []


def _unmeasured_runs(
    quantity: str, runs: Sequence[tuple[PlannedRun, list[str]]], planned: Planned
) -> str:
    """A text on runs that no probe measures in any grid, and on how to select the others."""
    measured = [run for run, names in runs if names]
    bare = _bare_runs(runs, planned)
    if not bare:
        return ""
    text = f"no probe measures {quantity} in {len(bare)} of the {len(runs)} selected runs"
    return f"{text}: {narrowed(measured, bare) or 'select runs that are measured'}"


def _bare_runs(runs: Sequence[tuple[PlannedRun, list[str]]], planned: Planned) -> list[PlannedRun]:
    """The runs without probes, except those that another grid has with probes."""
    bare = [run for run, names in runs if not names]
    if bare:
        measured = {planned.identity(run) for run, names in runs if names}
        bare = [run for run in bare if planned.identity(run) not in measured]
    return bare


def narrowed(wanted: Sequence[PlannedRun], others: Sequence[PlannedRun]) -> str:
    """A condition that some runs meet and others do not, in words; empty if none is found."""
    for column in wanted[0].row:
        own = list(dict.fromkeys(in_table(run.row.get(column)) for run in wanted))
        rest = {in_table(run.row.get(column)) for run in others}
        if not rest & set(own) and None not in own:
            value = own[0] if len(own) == 1 else own
            return f"add `{flow({column: value})[1:-1]}` to where"
    return ""


def several_rates(arm: Any) -> str:
    """A text on an arm with learning rates between which no option chooses."""
    return (
        f"{arm} has several learning rates: set best: true or tuned_at in options, or choose one "
        "in where"
    )


def bounds_text(where: Mapping[str, Any], row: Row) -> str:
    """What is wrong with bounds on a column that does not hold numbers; empty if nothing is."""
    for column, wanted in where.items():
        try:
            matches({column: wanted}, row)
        except TypeError:
            return f"{condition_text({column: wanted})} bounds a column that does not hold numbers"
    return ""
