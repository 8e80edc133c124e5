"""What a ranking promises and keeps, on simulated answers, and how long it takes.

    python benchmarks/rankings.py [ROWS ...]

Answers: models on the same prompts, of unlike difficulty, so results are not independent. Speed: synthetic results in a throw-away SQLite database;
each time is a median, and is told as a ratio to that with the first number of rows.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.pop(0)  # this folder: its inspect.py would stand in for the library's own module
sys.path.insert(0, str(Path(__file__).parents[1]))

import tempfile
import time
from collections.abc import Callable, Iterator
from statistics import median

import numpy as np
from scipy import stats
from sqlalchemy import select
from tests.registry.databases import NOW, Clock
from tests.registry.ranked import fill, ranking

from weighbridge.registry.audit import note
from weighbridge.registry.rankings.bounds import Floats, mean_bounds, possible_ranks
from weighbridge.registry.rankings.reading import Rankings
from weighbridge.registry.rankings.records import Asked
from weighbridge.registry.store import Store, open_store
from weighbridge.registry.tables.rates import rates

MODELS, RUNS = 20, 1_000
TRUTH = np.repeat([0.01, 0.05, 0.05, 0.1, 0.2, 0.2, 0.3, 0.5, 0.7, 0.95], 2)
TIMES = 15


def main() -> None:
    print(
        "| answers | prompts | asking | anything wrong | pairs told apart, of those that differ | exact, at the same level each |"
    )
    print("|---|---|---|---|---|---|")
    drawn = np.random.default_rng(20261126)
    for graded in (False, True):
        for prompts in (104, 416):
            for early in (False, True):
                print(_kept(drawn, graded, prompts, early))
    print()
    first: dict[str, float] = {}
    for rows in [int(each) for each in sys.argv[1:]] or [1_000, 100_000]:
        for what, seconds in _times(rows):
            first.setdefault(what, seconds)
            print(f"{rows:>9,} rows, {what}: {seconds * 1000:.1f} ms, {seconds / first[what]:.1f} times")


def _kept(drawn: np.random.Generator, graded: bool, prompts: int, early: bool) -> str:
    wrong = ours = exact = 0
    differ = int((TRUTH[:, None] > TRUTH).sum())
    for _ in range(RUNS):
        luck = np.sqrt(0.5) * (drawn.normal(size=(prompts, 1)) + drawn.normal(size=(prompts, MODELS)))
        values = (stats.norm.cdf(luck) < TRUTH).astype(float)
        if graded:
            values = np.where(drawn.random(values.shape) < 0.5, values, TRUTH)
        total = values.cumsum(axis=0)
        asked = np.arange(1, prompts + 1)[:, None]
        # Early: each stops where it looks least like itself, which nobody could do better.
        off = np.abs(total / asked - TRUTH) * np.sqrt(asked)
        stop = off[19:].argmax(axis=0) + 19 if early else np.full(MODELS, prompts - 1)
        sums, n = total[stop, np.arange(MODELS)], stop + 1.0
        low, high = mean_bounds(sums, n, np.zeros(MODELS), among=MODELS)
        best, worst = possible_ranks(low, high)
        apart = high[:, None] < low
        better, not_worse = (TRUTH[:, None] > TRUTH).sum(axis=1), (TRUTH[:, None] >= TRUTH).sum(axis=1)
        wrong += bool(
            (apart & (TRUTH[:, None] >= TRUTH)).any() or (best > not_worse).any() or (worst < 1 + better).any()
        )
        ours += int(apart.sum())
        one_low, one_high = _exact(sums, n, 0.05 / MODELS)
        exact += int((one_high[:, None] < one_low).sum())
    kind = "graded" if graded else "yes or no"
    how = "stops where it looks worst" if early else "all prompts"
    against = "-" if graded or early else f"{exact / RUNS / differ:.0%}"
    return f"| {kind} | {prompts} | {how} | {wrong / RUNS:.1%} | {ours / RUNS / differ:.0%} | {against} |"


def _exact(total: Floats, n: Floats, alpha: float) -> tuple[Floats, Floats]:
    """Return Clopper and Pearson's intervals."""
    low = np.where(total > 0, stats.beta.ppf(alpha / 2, total, n - total + 1), 0)
    high = np.where(total < n, stats.beta.ppf(1 - alpha / 2, total + 1, n - total), 1)
    return low, high


def _times(rows: int) -> Iterator[tuple[str, float]]:
    drawn = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{folder}/registry.db", clock=Clock())
        results = zip(drawn.random(rows) ** 3, drawn.choice([104, 416], rows), strict=True)
        with store.writing() as connection:
            fill(connection, ranking(), ((f"model {n}", float(value), int(m)) for n, (value, m) in enumerate(results)))
        kept = Rankings(store)
        [listed] = kept.listed()
        yield "first page, nothing read yet", _once(lambda: Rankings(store).page(listed, Asked(), NOW))
        kept.page(listed, Asked(), NOW)
        yield "first page", _median(lambda: kept.page(listed, Asked(), NOW))
        yield (
            "page of 500 rows in the middle",
            _median(lambda: kept.page(listed, Asked(rows=500, page=rows // 1000), NOW)),
        )
        yield "rows chosen by label", _median(lambda: kept.page(listed, Asked(find="99"), NOW))
        yield (
            "first page after a publication",
            _median(lambda: kept.page(listed, Asked(), NOW), lambda: _changed(store)),
        )
        store.close()


def _changed(store: Store) -> None:
    """Let the log say that something about one model changed."""
    with store.writing() as connection:
        subject = connection.execute(select(rates.c.subject).limit(1)).scalar()
        note(connection, NOW, "answered", "benchmark", subject, {})


def _median(act: Callable[[], object], before: Callable[[], None] = lambda: None) -> float:
    found = []
    for _ in range(TIMES):
        before()
        found.append(_once(act))
    return median(found)


def _once(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
