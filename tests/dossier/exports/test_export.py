"""The frame: nothing is left out in silence, the same dossier gives the same bytes, and hostile text stays text."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import cache

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.dossier.exports.examples import AT, poisoned, ruling, thin
from tests.fakes.dossier_record import dossier_record
from weighbridge.dossier.exports.export import (
    FORMATS,
    Dropped,
    Kind,
    Source,
    Tally,
    export_as,
    is_inside,
    log_record,
)
from weighbridge.dossier.record import DossierRecord
from weighbridge.errors import UsageError
from weighbridge.protocol.vocabulary import Verb

NAMES = tuple(FORMATS)
RECORDS = ("record", "gappy_record", "empty_record", "lone_record")
HOSTILE = (
    "safe\u202egnp.exe",
    "\x00\x07\x1b[31m\x85\u2028",
    "a: b\n---\n- *x\n&y !!python/object/apply:os.system ['id']",
    '"; DROP, <script>alert(1)</script> ]]> {{7*7}}',
    '=HYPERLINK("x")\t@SUM(1)\r\n+1',
    "-1;=1+1, =2",
    "\u200b\u2060\ufeff\u2066x",
    "a" * 40_000,
    "",
    " ",
)


@pytest.fixture(params=RECORDS)
def source(request: pytest.FixtureRequest) -> Source:
    """A record of each kind, with some of its rates and a ruling."""
    whole: DossierRecord = request.getfixturevalue(request.param)
    record = thin(thin(whole))
    return Source(record, rulings=(ruling(record),))


@pytest.mark.parametrize("name", NAMES)
def test_everything_is_written_or_counted_with_a_reason(name: str, source: Source) -> None:
    """For each kind of thing in a dossier, written and left out add up to what there is."""
    export = export_as(name, source, at=AT)
    left_out = Counter[str]()
    for dropped in export.log:
        left_out[dropped.what] += dropped.count
    told = {kind: export.written.get(kind, 0) + left_out[kind.value] for kind in Kind}
    assert told == source.inventory()
    assert all(dropped.why for dropped in export.log)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_dossier_gives_the_same_bytes(name: str, source: Source) -> None:
    """An export depends on the record and on the time that is handed in, and on nothing else."""
    assert export_as(name, source, at=AT) == export_as(name, Source(source.record, source.rulings), at=AT)


@pytest.mark.parametrize("name", NAMES)
def test_prompts_and_answers_stay_with_the_dossier(name: str, record: DossierRecord) -> None:
    """No prompt and no answer that the dossier shows is in any exported file."""
    record = thin(thin(record))
    texts = {text.encode() for one in record.examples for text in (one.prompt, one.answer) if len(text) > 12}
    assert texts
    files = export_as(name, Source(record), at=AT).files
    assert not [file for file, data in files.items() if any(text in data for text in texts)]


@pytest.mark.parametrize("name", NAMES)
def test_taking_evidence_away_never_adds_a_number(name: str) -> None:
    """What a smaller budget did not reach turns from written into left out; nothing takes its place."""
    records = [dossier_record(per_cell=1, asked_share=share, baselines=()) for share in (1.0, 0.4)]
    whole, less = (Source(each.model_copy(update={"rates": each.rates[::5]})) for each in records)
    before, after = (export_as(name, each, at=AT) for each in (whole, less))
    if name == "csv":  # tables have rows for what was not measured as well
        counted = [
            sum(b",measured," in line for line in each.files["rates.csv"].splitlines()) for each in (before, after)
        ]
    else:
        counted = [each.written.get(Kind.RATE, 0) for each in (before, after)]
    assert counted[1] <= counted[0]


def test_a_format_that_forgets_something_is_a_mistake_of_ours(record: DossierRecord) -> None:
    """An export that says nothing of a kind of thing is not handed out."""
    tally = Tally(Source(record))
    for kind in Kind:
        if kind is not Kind.COST:
            tally.rest(kind, "it is a test")
    with pytest.raises(AssertionError, match="cost"):
        tally.export({})


def test_equal_reasons_are_counted_together(record: DossierRecord) -> None:
    """The log has one line for one thing and one reason."""
    tally = Tally(Source(record))
    for _ in range(3):
        tally.part("method of a rate", "no field")
    assert tally.log == (Dropped(what="method of a rate", why="no field", count=3),)


def test_an_unknown_format_is_the_callers_mistake(record: DossierRecord) -> None:
    """Another name is refused with the names that there are."""
    with pytest.raises(UsageError, match="hub-card"):
        export_as("html", Source(record), at=AT)


def test_the_log_names_the_dossier_and_every_file(record: DossierRecord) -> None:
    """The log is JSON with the digests of the dossier and of the files."""
    source = Source(record)
    export = export_as("cyclonedx", source, at=AT)
    log = json.loads(json.dumps(log_record("cyclonedx", source, export, at=AT)))
    assert log["schema"] == "weighbridge.export-log/1"
    assert (log["format"], log["dossier"], set(log["files"])) == ("cyclonedx", source.dossier, set(export.files))
    assert log["written"]["rate"] + sum(one["count"] for one in log["dropped"] if one["what"] == "rate") == len(
        record.rates
    )


def test_every_format_has_one_line_of_help() -> None:
    """Formats are listed with what they are."""
    assert all(words.endswith(".") and "\n" not in words for _, words in FORMATS.values())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_known_hostile_text_stays_text(name: str, text: str) -> None:
    """Overrides, control characters, markup of YAML, HTML and CSV, and very long text are shown and do nothing."""
    _check(name, text)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.text(max_size=40))
def test_any_text_stays_text(name: str, text: str) -> None:
    """Whatever a label holds, every file is well formed and hides nothing."""
    _check(name, text)


_WHOLE = dossier_record(per_cell=1, baselines=(), blind=(Verb.ENDORSE,))
_PLAIN = _WHOLE.model_copy(update={"rates": _WHOLE.rates[::60], "comparisons": _WHOLE.comparisons[:4]})


def _check(name: str, text: str) -> None:
    record = poisoned(_PLAIN, text)
    export = export_as(name, Source(record, (ruling(record, text),)), at=AT)
    assert len(export.files) == _how_many_files(name)
    for file, data in export.files.items():
        assert is_inside(file)
        shown = data.decode()
        assert not [letter for letter in shown if _hides(letter)]
        assert len(data) < 8_000_000
        for value in _strings(file, shown):
            assert not [letter for letter in value if _hides(letter)]
    log = log_record(name, Source(record), export, at=AT)
    assert not [letter for value in _leaves(log) for letter in value if _hides(letter)]


@cache
def _how_many_files(name: str) -> int:
    return len(export_as(name, Source(_PLAIN, (ruling(_PLAIN),)), at=AT).files)


def _hides(letter: str) -> bool:
    if letter in "\n\r\t\u200c\u200d":
        return False
    return unicodedata.category(letter)[0] == "C" or unicodedata.category(letter) in ("Zl", "Zp")


def _strings(file: str, shown: str) -> Iterator[str]:
    if file.endswith(".json"):
        yield from _leaves(json.loads(shown))
    elif file.endswith(".yaml"):
        yield from _leaves(yaml.safe_load(shown))


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(key)
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
