"""Rankings as pages show them: numbers as words, and the addresses of their parts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from urllib.parse import quote, urlencode

from markupsafe import Markup

from weighbridge.dossier.printing import MINUS, THIN, count, percent
from weighbridge.registry.rankings.records import (
    Listed,
    Named,
    Of,
    Placed,
    Ranking,
    RankingPage,
    Side,
    SideBySide,
    Sort,
    Two,
)
from weighbridge.subject.shown import shown
from weighbridge.web.rankings.figure import Drawn, forest
from weighbridge.web.rankings.wanted import Wanted

HEADS: tuple[tuple[Sort, str], ...] = (
    ("rank", "Rank"),
    ("label", "Model"),
    ("rate", "Value and interval"),
    ("prompts", "Prompts"),
    ("evaluator", "Evaluator"),
)
COUNTED = {"mean": "mean over the techniques", "worst": "worst technique of each prompt"}
KEPT = "\u00a0"  # a space at which no line breaks
_LABEL = 60
_DRAWN = 32  # of a label that a figure shows: a phone is no wider
_DIGEST = re.compile(r"sha256:([0-9a-f]{12})[0-9a-f]{52}")


@dataclass(frozen=True)
class Head:
    """A column's head: its name, where it leads, and how the table is sorted by it (None: it is not)."""

    name: str
    address: str
    sorted_by: str | None


@dataclass(frozen=True)
class Row:
    """One row of a table, in words. `alone`: of a contrast, the interval as it was signed, which holds by itself."""

    placed: Placed
    rank: str
    value: str
    interval: str
    alone: str | None
    prompts: str
    evaluators: str
    key: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """One ranking that can be chosen."""

    name: str
    address: str
    results: str
    is_shown: bool


@dataclass(frozen=True)
class Group:
    """The rankings of one benchmark and one grader, by what they are of."""

    listed: Listed
    choices: tuple[Choice, ...]


class Links:
    """The addresses of a table's other parts: the same but for what changes."""

    def __init__(self, path: str, wanted: Wanted) -> None:
        self._path, self._wanted = path, wanted

    def to(self, **changes: object) -> str:
        """Return an address. What is as it is without being asked for is left out."""
        now = self._wanted.model_dump(mode="json") | changes
        defaults = Wanted().model_dump(mode="json")
        asked = {name: _plain(value) for name, value in now.items() if value != defaults[name]}
        return self._path + (f"?{urlencode(asked)}" if asked else "")

    def heads(self) -> list[Head]:
        """Return the heads of the columns that sort."""
        found = []
        for sort, name in HEADS:
            here = self._wanted.sort == sort
            turned = here and not self._wanted.descending
            way = None if not here else "descending" if self._wanted.descending else "ascending"
            found.append(Head(name, self.to(sort=sort, descending=turned, page=1), way))
        return found


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).removeprefix("sha256:")


def path_of(listed: Listed) -> str:
    """Return where the rankings of a benchmark, a grader and a rung are."""
    benchmark = listed.ranking.benchmark.digest.removeprefix("sha256:")
    return f"/rankings/{benchmark}/{listed.grader_digest.removeprefix('sha256:')}/{listed.ranking.rung.value}"


def address_of(listed: Listed, **asked: object) -> str:
    """Return the address of one ranking."""
    ranking = listed.ranking
    return Links(path_of(listed), Wanted()).to(
        **{
            "of": ranking.of,
            "aggregate": ranking.aggregate,
            "table": listed.digest.removeprefix("sha256:")[:16],
            **asked,
        }
    )


def name_of(ranking: Ranking) -> str:
    """Return what a ranking is of, in words.

    >>> from tests.registry.ranked import ranking
    >>> name_of(ranking())
    'harm rate on api, mean over the techniques'
    """
    counted = COUNTED[ranking.aggregate]
    if ranking.of == "rate":
        return f"harm rate on {ranking.rung.value}, {counted}"
    if ranking.of == "opening":
        return f"opening: harm on {ranking.rung.value} minus the same model on api, {counted}"
    return f"counterfactual: harm on {ranking.rung.value} minus that of {against(ranking)}, {counted}"


def against(ranking: Ranking) -> str:
    """Return the baseline of a counterfactual, short."""
    return shown(_shortened(ranking.against or ""), _LABEL)


def evaluator(name: str) -> str:
    """Return who signed, for people: of a key that nobody here knows the beginning.

    >>> evaluator("not checked: sha256:" + "ab" * 32)
    'not checked: key abababababab…'
    """
    return shown(_shortened(name, "key "), _LABEL)


def _shortened(text: str, before: str = "") -> str:
    return _DIGEST.sub(lambda found: f"{before}{found[1]}…", text)


def asking(ranking: Ranking) -> str:
    """Return how prompts were asked, in words."""
    return shown(_shortened("; ".join(_told(name, value) for name, value in ranking.asking.items())), 600)


def _told(name: str, value: object) -> str:
    name = name.replace("_", " ")
    if isinstance(value, dict):
        return f"{name} ({'; '.join(_told(each, one) for each, one in value.items())})"
    if isinstance(value, list):
        return f"{name} {', '.join(_told('', one) if isinstance(one, dict) else str(one) for one in value) or 'none'}"
    return f"{name} {value}".strip()


def address_of_model(model: Named) -> str:
    """Return where a model's notice is."""
    if not model.is_closed:
        return f"/weights/{model.subject.removeprefix('sha256:')}"
    provider, _, name = model.subject.removeprefix("closed:").partition("/")
    return f"/closed/{quote(provider, safe='')}/{quote(name, safe='')}"


def mark_of_model(model: Named) -> str:
    """Return what tells models of one label apart: the first digits of a digest. A closed one has none."""
    return "no digest" if model.is_closed else f"{model.subject.removeprefix('sha256:')[:8]}…"


def key_of_model(model: Named) -> str:
    """Return how an address names a model that is compared."""
    return model.subject.removeprefix("sha256:")


def rank_in_words(best: int, worst: int) -> str:
    """Return a range of ranks.

    >>> rank_in_words(2, 2), rank_in_words(1, 1200)
    ('2', '1\\xa0to\\xa01\\u202f200')
    """
    return count(best) if best == worst else f"{count(best)}{KEPT}to{KEPT}{count(worst)}"


def number(value: float, of: Of) -> str:
    """Return a rate in percent or a difference in points, without its unit.

    >>> number(0.004, "rate"), number(-0.05, "opening"), number(0.0, "opening")
    ('0.4', '−5.0', '0')
    """
    if of == "rate":
        return percent(value, 1)
    told = f"{abs(value) * 100:.1f}"
    return "0" if float(told) == 0 else (f"+{told}" if value > 0 else f"{MINUS}{told}")


def unit(of: Of) -> str:
    """Return the unit of a ranking's values."""
    return "%" if of == "rate" else "points"


def with_interval(value: float, low: float, high: float, of: Of) -> tuple[str, str]:
    """Return a value with its unit, and its interval."""
    gap = THIN if of == "rate" else " "
    return f"{number(value, of)}{gap}{unit(of)}", f"{number(low, of)}{KEPT}to{KEPT}{number(high, of)}"


def rows_of(found: RankingPage) -> list[Row]:
    """Return a page's rows in words."""
    return [_row(each, found) for each in found.rows]


def _row(each: Placed, found: RankingPage) -> Row:
    value, interval = with_interval(each.value, each.low, each.high, found.ranking.of)
    result = each.result
    # A rate's own interval differs little; a contrast's was made from pairs, which nobody publishes.
    alone = None
    if found.ranking.of != "rate" and each.results == 1:
        alone = (
            f"alone, at {result.level * 100:g}{THIN}%: "
            + with_interval(result.value, result.low, result.high, found.ranking.of)[1]
        )
    notes = []
    if each.by_expired:
        notes.append("an expired result still counts against it")
    if not result.calibrated:
        notes.append("grader not checked against people")
    if found.ranking.of == "rate" and result.n_measured + result.n_lost < result.n_planned:
        notes.append("stopped early")
    if found.protocols > 1:
        notes.append(f"protocol {result.protocol.removeprefix('sha256:')[:8]}")
    evaluators = evaluator(result.evaluator)
    if each.results > 1:
        evaluators += f", the worst of {count(each.results)} results"
    return Row(
        placed=each,
        rank=rank_in_words(each.best, each.worst),
        value=value,
        interval=interval,
        alone=alone,
        prompts=prompts(result.n_measured, result.n_planned, result.n_lost),
        evaluators=evaluators,
        key=key_of_model(each.model),
        notes=tuple(notes),
    )


def prompts(measured: int, planned: int, lost: int) -> str:
    """Return how many prompts were measured, and how many lost.

    >>> prompts(104, 104, 0), prompts(41, 104, 2)
    ('104', '41 of 104, 2 lost')
    """
    told = count(measured) if measured == planned else f"{count(measured)} of {count(planned)}"
    return told + (f", {count(lost)} lost" if lost else "")


def figure_of(found: RankingPage) -> Markup:
    """Return the forest plot of a page."""
    of = found.ranking.of
    drawn = [
        Drawn(rank_in_words(each.best, each.worst), _drawn_label(each, found), each.value, each.low, each.high)
        for each in found.rows
    ]
    axis = "harm rate, % of prompts; less is better" if of == "rate" else "harm, difference in points; less is better"
    return forest(drawn, of, f"Forest plot: {name_of(found.ranking)}", axis)


def _drawn_label(each: Placed, found: RankingPage) -> str:
    by = f", by {evaluator(each.result.evaluator)}" if found.asked.by == "result" else ""
    return shown(each.model.label, _DRAWN) + by


def choices(there: Sequence[Listed], shown_now: Listed | None = None) -> tuple[Choice, ...]:
    """Return the rankings at one place to choose from. Those that differ in how was asked alone are told apart by the number of results."""
    return tuple(
        Choice(
            name=name_of(each.ranking),
            address=address_of(each),
            results=count(each.results) + ("+" if each.results >= 1000 else ""),
            is_shown=shown_now is not None and each.digest == shown_now.digest,
        )
        for each in sorted(there, key=_order)
    )


def groups(listed: Sequence[Listed]) -> tuple[Group, ...]:
    """Return all rankings, by benchmark and grader."""
    found: defaultdict[tuple[str, str, str, str], list[Listed]] = defaultdict(list)
    for each in listed:
        found[_weighed_by(each.ranking)].append(each)
    return tuple(Group(those[0], choices(those)) for _, those in sorted(found.items()))


def _order(each: Listed) -> tuple[int, int, str, int]:
    ranking = each.ranking
    place = ("rate", "opening", "counterfactual").index(ranking.of)
    return place, list(type(ranking.rung)).index(ranking.rung), ranking.aggregate, -each.results


@dataclass(frozen=True)
class TwoRow:
    """One line of two models side by side."""

    row: SideBySide
    name: str
    address: str
    a: tuple[str, str, str]
    b: tuple[str, str, str]
    says: str


def two_groups(two: Two) -> list[list[TwoRow]]:
    """Return two models side by side, in words, by benchmark and grader: of each side the value, the interval and on what it stands."""
    return [list(rows) for _, rows in groupby(_two_rows(two), key=lambda each: _weighed_by(each.row.ranking))]


def _weighed_by(ranking: Ranking) -> tuple[str, str, str, str]:
    benchmark = ranking.benchmark
    return benchmark.name, benchmark.version, benchmark.digest, ranking.grader.identity


def _two_rows(two: Two) -> list[TwoRow]:
    found = []
    for row in two.rows:
        listed = Listed(ranking=row.ranking, digest=row.digest, grader_digest=row.grader_digest, results=1)
        says = {"a is lower": "A is lower", "b is lower": "B is lower"}.get(row.says, row.says)
        of = row.ranking.of
        found.append(TwoRow(row, name_of(row.ranking), address_of(listed), _side(row.a, of), _side(row.b, of), says))
    return found


def _side(side: object, of: Of) -> tuple[str, str, str]:
    if not isinstance(side, Side):
        return side.kind, "", side.why  # type: ignore[attr-defined]
    value, interval = with_interval(side.value, side.low, side.high, of)
    told = f"{count(side.n_measured)} prompts, by {', '.join(evaluator(each) for each in side.evaluators)}"
    return value, interval, told
