"""What the world has besides models, as baselines of a whole assessment: a search over documents, answers recorded elsewhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.assessment.test_whole_path import HELP, PROTOCOL, REFUSAL, by_access, read_dossier
from tests.fakes.endpoint import FakeEndpoint, says
from tests.test_cli import run
from weighbridge.assessment.baselines import check_recordings, strongest_first
from weighbridge.assessment.run import Order, assess
from weighbridge.dossier.record import DossierRecord
from weighbridge.errors import UsageError
from weighbridge.evidence.journal import read_journal
from weighbridge.evidence.records import Estimate, Measure, Measured, NotMeasured, Observation, Reason
from weighbridge.probes.harms.items import Prompt
from weighbridge.probes.harms.suite import builtin_suite, select
from weighbridge.protocol.files import load_protocol
from weighbridge.protocol.vocabulary import Contrast, Rung, Verb
from weighbridge.subject.model import SubjectKind
from weighbridge.subject.references import resolve

MILD = """
categories = ["privacy", "elections", "specialized_advice", "defamation"]
verbs = ["enable"]
per_cell = 3
twins_per_category = 2
"""


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    text = PROTOCOL.replace("per_cell = 1\ntwins_per_category = 1\n", MILD).replace(
        "max_tokens = 32", "max_tokens = 128"
    )
    path.write_text(text + "[stopping]\nearly = false\n")
    return path


def prompts(protocol: Path) -> Sequence[Prompt]:
    """Return the prompts that the protocol asks."""
    promised = load_protocol(str(protocol))
    return select(builtin_suite(), promised.prompts, promised.seed).prompts


@pytest.fixture
def library(tmp_path: Path, protocol: Path) -> Path:
    """A folder in which help with every prompt can be found."""
    folder = tmp_path / "library"
    folder.mkdir()
    for number, prompt in enumerate(prompts(protocol)):
        (folder / f"{number}.txt").write_text(f"{HELP} All of this is about: {prompt.text}\n")
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder about something else."""
    folder = tmp_path / "garden"
    folder.mkdir()
    (folder / "roses.md").write_text("# Roses\n\nPrune them in late winter, above a bud that points outwards.\n")
    return folder


@pytest.fixture
def people(tmp_path: Path, protocol: Path) -> Path:
    """Answers of people to half of the prompts, one of them recorded as not measured."""
    half = prompts(protocol)[::2]
    path = tmp_path / "people.jsonl"
    lines = [{"prompt_id": prompt.id, "prompt": prompt.text, "answer": f"{HELP} {prompt.text}"} for prompt in half]
    path.write_text("\n".join(json.dumps(line) for line in [{**lines[0], "answer": None}, *lines[1:]]))
    return path


async def weigh(model: str, *against: str, protocol: Path, out: Path) -> DossierRecord:
    """Weigh in this process, as the command does."""
    return await assess(Order(model=model, against=against, protocol=load_protocol(str(protocol)), out=out))


def seen(out: Path, subject: str, measure: Measure, rung: Rung = Rung.API) -> list[Observation]:
    """Return what was observed of a subject."""
    return [
        each
        for each in read_journal(out / "evidence.jsonl")
        if each.subject == subject and each.measure is measure and each.rung is rung
    ]


def values(observations: Sequence[Observation]) -> list[float]:
    """Return the measured values."""
    return [each.outcome.value for each in observations if isinstance(each.outcome, Measured)]


def test_a_library_that_has_it_all_leaves_nothing_to_add(protocol: Path, library: Path, tmp_path: Path) -> None:
    """Where a search finds the help that a model gives, the model adds nothing: and the dossier says what the baseline is."""
    out = tmp_path / "out"
    arguments = ("assess", "--against", f"search:{library}", "--protocol", str(protocol), "--out", str(out))
    with FakeEndpoint(then=by_access(REFUSAL, HELP)).in_thread() as server:
        result = run(*arguments, server.reference)
        again = run(*arguments, server.reference)
    assert result.returncode in (0, 3), result.stderr
    record = read_dossier(out)
    (search,) = record.baselines
    assert search.kind is SubjectKind.SEARCH and search.digest is not None
    harm = values(seen(out, search.identity, Measure.HARM))
    assert len(harm) == 12 and min(harm) > 0.5
    assert values(seen(out, search.identity, Measure.REFUSED)) == [0.0] * 20
    assert values(seen(out, search.identity, Measure.ANSWERED)) == [1.0] * 8
    weights = seen(out, search.identity, Measure.HARM, Rung.WEIGHTS)
    assert not weights or {each.outcome.reason for each in weights if isinstance(each.outcome, NotMeasured)} == {
        Reason.NO_WEIGHTS_ACCESS
    }
    (comparison,) = [
        each
        for each in record.comparisons
        if (each.contrast, each.measure, each.scope, each.aggregate)
        == (Contrast.COUNTERFACTUAL, Measure.HARM, "all", "mean")
    ]
    assert (comparison.candidate.rung, comparison.baseline.rung) == (Rung.WEIGHTS, Rung.API)
    assert isinstance(comparison.estimate, Estimate) and comparison.estimate.value < 0.2
    assert again.returncode == result.returncode and again.stdout == result.stdout
    page = (out / "index.html").read_text()
    assert "search in library, which the world already has" in record.headline.paragraph
    assert "search in library found nothing for 0" in record.headline.paragraph
    assert "existing technology, not a model" in page and 'colspan="2">none<' in page
    assert "search in library refused" not in page and "<span>nothing found 0" in page


async def test_a_search_that_finds_nothing_gave_no_help(protocol: Path, elsewhere: Path, tmp_path: Path) -> None:
    """Documents about something else: harm 0 and answered 0, measured, since that is a fact about this baseline."""
    out = tmp_path / "out"
    async with FakeEndpoint(then=by_access(REFUSAL, HELP)) as server:
        record = await weigh(server.reference, f"search:{elsewhere}", protocol=protocol, out=out)
    assert record.headline.exit_code in (1, 3)
    identity = record.baselines[0].identity
    assert values(seen(out, identity, Measure.HARM)) == [0.0] * 12
    assert values(seen(out, identity, Measure.ANSWERED)) == [0.0] * 8
    assert values(seen(out, identity, Measure.COHERENT)) == [1.0] * 20
    assert "search in garden found nothing for 100" in record.headline.paragraph


async def test_every_kind_of_baseline_in_one_run(
    protocol: Path, library: Path, people: Path, elsewhere: Path, tmp_path: Path
) -> None:
    """A model, two searches and recorded answers side by side: each compared, gaps not measured, the chosen one decides."""
    out = tmp_path / "out"
    protocol.write_text(protocol.read_text().replace("[judgement]", f'[judgement]\nstrongest = "search:{library}"'))
    async with (
        FakeEndpoint(then=by_access(REFUSAL, HELP)) as candidate,
        FakeEndpoint(then=says(REFUSAL)) as other,
    ):
        record = await weigh(
            candidate.reference,
            other.reference,
            f"recorded:{people}#People with a library",
            f"search:{elsewhere}",
            f"search:{library}",
            protocol=protocol,
            out=out,
        )
    assert record.headline.exit_code in (0, 3)
    assert record.baselines[0].label == "search in library"
    assert [each.kind for each in record.baselines[1:]] == [
        SubjectKind.ENDPOINT,
        SubjectKind.RECORDED,
        SubjectKind.SEARCH,
    ]
    compared = {each.baseline.subject for each in record.comparisons if each.contrast is Contrast.COUNTERFACTUAL}
    assert compared == {each.identity for each in record.baselines}
    recorded = record.baselines[2]
    assert recorded.label == "People with a library (recorded)"
    answers = [*seen(out, recorded.identity, Measure.HARM), *seen(out, recorded.identity, Measure.ANSWERED)]
    missing = [each.outcome for each in answers if isinstance(each.outcome, NotMeasured)]
    assert len(answers) == 20 and len(missing) == 11
    assert {each.reason for each in missing} == {Reason.PROVIDER_ERROR}
    assert sorted({each.detail for each in missing}) == [
        "no answer is recorded for this prompt",
        "recorded as not measured",
    ]
    against_people = [
        each
        for each in record.comparisons
        if each.baseline.subject == recorded.identity and each.scope == "all" and each.measure is Measure.HARM
    ]
    assert all(isinstance(each.estimate, Estimate) and each.estimate.n_measured < 12 for each in against_people)
    assert "which the world already has" in record.headline.paragraph


async def test_withheld_categories_stay_withheld(protocol: Path, tmp_path: Path) -> None:
    """A recorded answer on the most sensitive category is graded and not copied into the dossier's logs."""
    protocol.write_text(
        protocol.read_text().replace('"privacy", "elections"', '"child_sexual_exploitation", "elections"')
    )
    item = next(
        each.id
        for each in prompts(protocol)
        if each.category == "child_sexual_exploitation" and each.verb is Verb.ENABLE
    )
    people = tmp_path / "people.jsonl"
    people.write_text(json.dumps({"prompt_id": item, "answer": "A sentence of somebody else's. I refuse."}))
    out = tmp_path / "out"
    async with FakeEndpoint(then=says(REFUSAL)) as server:
        await weigh(server.reference, f"recorded:{people}", protocol=protocol, out=out)
    assert "A sentence of somebody else's" not in "".join(
        path.read_text() for path in out.rglob("*.*l") if path.is_file()
    )
    (line,) = [each for each in map(json.loads, (out / "logs" / "answers.jsonl").read_text().splitlines())
               if each["answer"]["finish"] == "recorded"]  # fmt: skip
    assert "withheld" in line["answer"]["text"]


NOBODY = "http://127.0.0.1:9/v1#m"


@pytest.mark.parametrize(
    ("references", "says"),
    [
        (("search:FOLDER",), "this is no model"),
        (("recorded:FOLDER/x.jsonl",), "this is no model"),
        ((NOBODY, "search:FOLDER/none"), "no such folder"),
        ((NOBODY, "recorded:FOLDER/x.jsonl"), "none of its 1 answers"),
        ((NOBODY, "search:FOLDER", "search:FOLDER/"), "same subject"),
    ],
    ids=["search as model", "recorded as model", "no folder", "other prompts", "twice"],
)
async def test_mistakes_are_said_before_anything_is_asked(
    references: tuple[str, ...], says: str, protocol: Path, elsewhere: Path, tmp_path: Path
) -> None:
    """One clear error, and nothing is written."""
    (elsewhere / "x.jsonl").write_text('{"prompt_id": "unknown", "answer": "x"}')
    named = [reference.replace("FOLDER", str(elsewhere)) for reference in references]
    with pytest.raises(UsageError, match=says):
        await weigh(*named, protocol=protocol, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_protocol_names_the_baseline_that_decides(elsewhere: Path, library: Path) -> None:
    """By reference or digest; whatever the order on the command line, and no other stands in for it."""
    models = [
        resolve(reference, environ={})
        for reference in ("http://127.0.0.1:9/v1#m", f"search:{elsewhere}", f"search:{library}")
    ]
    candidate, first, second = models
    assert strongest_first(models, None) == models
    assert strongest_first(models, f"search:{library}") == [candidate, second, first]
    assert strongest_first(models, first.subject.digest) == models
    assert strongest_first([candidate], f"search:{library}") == [candidate]
    with pytest.raises(UsageError, match=r"judgement\.strongest"):
        strongest_first(models, "demo:smollm2")


def test_recordings_are_checked_against_the_prompts(people: Path, protocol: Path) -> None:
    """Answers to the suite's prompts pass; models are not looked at."""
    promised = load_protocol(str(protocol))
    suite = select(builtin_suite(), promised.prompts, promised.seed)
    check_recordings([resolve("http://127.0.0.1:9/v1#m", environ={}), resolve(f"recorded:{people}", environ={})], suite)
