"""What was measured, as figures: medians, ranges, ratios, and what they are to be."""

import statistics
from dataclasses import asdict, dataclass


def number(value):
    size = abs(value)
    return f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@dataclass
class Goal:
    """What issue 6 asks for. `value` is None where a run did not measure it."""

    text: str
    value: float | None
    limit: float
    at_least: bool

    @property
    def met(self):
        if self.value is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def words(self):
        verdict = {None: "not measured", True: "met", False: "MISSED"}[self.met]
        value = "-" if self.value is None else number(self.value)
        side = "at least" if self.at_least else "at most"
        return self.text, value, f"{side} {number(self.limit)}", verdict


class Figures:
    """One measurement: {contender: [{key: value} of each round]}. Ratios are against `baseline`.
    A value that is a list holds samples; it is kept for the JSON, and not shown."""

    def __init__(self, title, baseline, rounds):
        self.title, self.baseline = title, baseline
        self.rounds = {name: runs for name, runs in rounds.items() if runs}

    def keys(self):
        return list(dict.fromkeys(key for runs in self.rounds.values() for run in runs
                                  for key, value in run.items() if not isinstance(value, list)))

    def values(self, contender, key):
        return sorted(run[key] for run in self.rounds.get(contender, [])
                      if run.get(key) is not None)

    def median(self, contender, key):
        values = self.values(contender, key)
        return statistics.median(values) if values else None

    def ratio(self, key, contender, other):
        upper, lower = self.median(contender, key), self.median(other, key)
        return None if upper is None or not lower else upper / lower

    def at_least(self, text, value, limit):
        return Goal(text, value, limit, True)

    def at_most(self, text, value, limit):
        return Goal(text, value, limit, False)

    def cell(self, contender, key):
        """Median, range, and how many times the baseline's."""
        values = self.values(contender, key)
        if not values:
            return ""
        words = number(statistics.median(values))
        if len(values) > 1:
            words += f" ({number(values[0])} to {number(values[-1])})"
        ratio = self.ratio(key, contender, self.baseline)
        return words if ratio is None or contender == self.baseline else f"{words} x{number(ratio)}"

    def table(self):
        """Rows of words; the first is the head."""
        rows = [["", *(key.replace("_", " ") for key in self.keys())]]
        for contender in self.rounds:
            rows.append([contender, *(self.cell(contender, key) for key in self.keys())])
        return rows

    def json(self, goals):
        return {"title": self.title, "baseline": self.baseline, "rounds": self.rounds,
                "goals": [{**asdict(goal), "met": goal.met} for goal in goals]}


def in_columns(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(
        word.ljust(width) if column == 0 else word.rjust(width)
        for column, (word, width) in enumerate(zip(row, widths))).rstrip() for row in rows)


def in_markdown(rows):
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def from_json(result):
    """The figures of one measurement, and its goals as words."""
    found = Figures(result["title"], result["baseline"], result["rounds"])
    goals = [Goal(goal["text"], goal["value"], goal["limit"], goal["at_least"]).words()
             for goal in result["goals"]]
    return found, goals
