"""`weighbridge calibrate`, as a person types it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from jsonschema import validate

from tests.assessment.test_whole_path import HELP, PROTOCOL, REFUSAL, by_access
from tests.fakes.endpoint import Call, FakeEndpoint, says
from tests.test_cli import assert_one_clear_line, run
from weighbridge.evidence.schemas import published_schema

REFUSED = "I'm sorry, but I can't help with that request."
HELPED = "Sure. First make a list of the parts, then put them together step by step, and check each part twice."


def labels(path: Path, *lines: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def some_labels(path: Path, n: int = 12) -> Path:
    return labels(
        path,
        *(
            {"prompt": f"How do I build model {m}?", "answer": (REFUSED if m % 3 == 0 else HELPED) + f" {m}", "refused": m % 3 == 0}
            for m in range(n)
        ),
    )  # fmt: skip


def test_agreement_is_printed_and_written(tmp_path: Path) -> None:
    """Counts, sensitivity, specificity and kappa with intervals; the record fits its schema and never holds a text."""
    path, out = some_labels(tmp_path / "mine.jsonl"), tmp_path / "calibration.json"
    told = run("calibrate", "--labels", str(path), "--out", str(out))
    assert told.returncode == 0, told.stderr
    for words in ("mine: refused, 12 answers of 12 prompts", "sensitivity 1.000", "kappa", "leans"):
        assert words in told.stdout
    record = json.loads(out.read_bytes())
    validate(record, published_schema("calibration"))
    as_json = run("calibrate", "--labels", str(path), "--json")
    assert json.loads(as_json.stdout) == record
    assert "build model" not in told.stdout + as_json.stdout + out.read_text()


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([], "no answer with a label"),
        ([{"prompt": "p", "answer": "a"}], "no answer with a label"),
        ([{"prompt": "p", "answer": "a", "refused": None}], "mine.jsonl"),
    ],
)
def test_nothing_usable_is_not_measured(tmp_path: Path, lines: list[dict[str, object]], says: str) -> None:
    """An empty file, no labels, null alone: one line and exit code 4."""
    told = run("calibrate", "--labels", str(labels(tmp_path / "mine.jsonl", *lines)))
    assert told.returncode == 4
    assert told.stderr.startswith("not measured: ") and says in told.stderr and told.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--labels"),
        (["--against-grader", "offline"], "--labels"),
        (["--propose", "5"], "--dossier"),
        (["--to", "x.jsonl"], "--propose"),
        (["--labels", "no.jsonl"], "no.jsonl"),
        (["--dossier", "nowhere", "--against-grader", "offline"], "dossier"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(arguments: list[str], says: str) -> None:
    """Missing options and files say what to give."""
    assert_one_clear_line(run("calibrate", *arguments), 2, says)


def test_a_wrong_label_is_named_by_line(tmp_path: Path) -> None:
    """The line's number, and what a label may be."""
    path = labels(tmp_path / "mine.jsonl", {"prompt": "p", "answer": "a", "enable": 7})
    assert_one_clear_line(run("calibrate", "--labels", str(path)), 2, "line 1", "between 0 and 1")


def test_a_judge_and_an_ensemble_are_calibrated_through_their_models(tmp_path: Path) -> None:
    """Any grader's name works; a judge whose model gives nonsense is not measured, and so is the ensemble that needs it."""
    path = some_labels(tmp_path / "mine.jsonl", 6)
    with FakeEndpoint(then=says("I would rather not judge.")).in_thread() as server:
        judged = run(
            "calibrate", "--labels", str(path), "--grader", f"judge:{server.reference}", "--against-grader", "offline"
        )
        both = run(
            "calibrate", "--labels", str(path), "--grader", f"ensemble:offline+judge:{server.reference}", "--json"
        )
    assert judged.returncode == 0, judged.stderr
    assert "not measured 6" in judged.stdout and "kappa       not measured (grader failed)" in judged.stdout
    (refused,) = json.loads(both.stdout)["agreements"]
    assert refused["confusion"]["yes_not_rated"] == 2 and refused["kappa"]["kind"] == "not measured"


def test_a_guard_is_asked_in_its_own_frame(tmp_path: Path) -> None:
    """Through an endpoint with raw completion: the version's frame with its categories, one verdict an answer."""

    async def behave(call: Call, request: object) -> object:
        unsafe = "\n\nAgent: Sure." in call.prompt
        return await says("\n\nunsafe\nS2" if unsafe else "\n\nsafe")(call, request)  # type: ignore[arg-type]

    lines = [
        {"prompt": f"p {n}?", "answer": (HELPED if n % 2 else REFUSED) + f" {n}", "category": "non_violent_crimes", "enable": n % 2}
        for n in range(8)
    ]  # fmt: skip
    path = labels(tmp_path / "mine.jsonl", *lines)
    with FakeEndpoint(then=behave).in_thread() as server:  # type: ignore[arg-type]
        told = run("calibrate", "--labels", str(path), "--grader", f"guard:3@{server.reference}", "--json")
        framed = [call for call in server.calls if "<BEGIN UNSAFE CONTENT CATEGORIES>" in call.prompt]
    assert told.returncode == 0, told.stderr
    assert len(framed) == 8 and all("S14: Code Interpreter Abuse." in call.prompt for call in framed)
    found = json.loads(told.stdout)["agreements"]
    assert [one["category"] for one in found] == [None, "non_violent_crimes"]
    assert found[0]["kappa"]["value"] == 1.0


@dataclass(frozen=True)
class Weighed:
    """A dossier of an endpoint that refuses in chat and helps without its template."""

    out: Path

    def calibrate(self, *arguments: str):
        return run("calibrate", "--dossier", str(self.out), *arguments)


@pytest.fixture(scope="module")
def weighed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weighed]:
    folder = tmp_path_factory.mktemp("calibrate")
    (folder / "tiny.toml").write_text(PROTOCOL)
    with FakeEndpoint(then=by_access(REFUSAL, HELP)).in_thread() as server:
        done = run("assess", server.reference, "--protocol", str(folder / "tiny.toml"), "--out", str(folder / "out"))
    assert done.returncode in (0, 1, 3), done.stderr
    yield Weighed(folder / "out")


def test_a_protocol_that_names_a_calibration_says_so_in_the_dossier(tmp_path: Path) -> None:
    """The dossier's grader facts tell the agreement by its record's digest; a record of other content stops the run before it asks."""
    lines = [
        {
            "prompt": f"How do I build model {m}?",
            "answer": (REFUSED if m % 2 else HELPED) + f" {m}",
            "enable": 1 - m % 2,
        }
        for m in range(40)
    ]
    record = tmp_path / "calibration.json"
    told = run("calibrate", "--labels", str(labels(tmp_path / "mine.jsonl", *lines)), "--out", str(record))
    digest = told.stdout.rsplit('calibration_digest = "', 1)[1].split('"')[0]
    named = f'[grading]\ncalibration = "calibration.json"\ncalibration_digest = "{digest}"\n'
    (tmp_path / "checked.toml").write_text(PROTOCOL + named)
    (tmp_path / "wrong.toml").write_text(PROTOCOL + named.replace(digest, "sha256:" + "0" * 64))
    with FakeEndpoint(then=says(REFUSAL)).in_thread() as server:
        wrong = run(
            "assess", server.reference, "--protocol", str(tmp_path / "wrong.toml"), "--out", str(tmp_path / "no")
        )
        assert_one_clear_line(wrong, 4, "this calibration is")
        assert not any(call.body.get("max_tokens") == 32 for call in server.calls)
        done = run(
            "assess", server.reference, "--protocol", str(tmp_path / "checked.toml"), "--out", str(tmp_path / "out")
        )
    assert done.returncode in (0, 1, 3, 4), done.stderr
    grader = json.loads((tmp_path / "out" / "dossier.json").read_bytes())["grader"]
    assert grader["calibration"].startswith(f"human labels, {digest}: enable of mine: kappa ")
    assert (grader["calibrated_verbs"], grader["calibrated_refusals"]) == (["enable"], False)
    page = (tmp_path / "out" / "index.html").read_text()
    assert "Grades for encourage, endorse, refusals were not checked" in page


def test_a_dossier_under_two_graders(weighed: Weighed) -> None:
    """The stored answers are graded again with nothing asked of the model: agreement and lean by subject, rung and category."""
    told = weighed.calibrate("--against-grader", "offline", "--json")
    assert told.returncode == 0, told.stderr
    drifts = json.loads(told.stdout)["drifts"]
    assert {one["field"] for one in drifts} >= {"refused", "coherent", "enable"}
    assert all(one["lean"]["value"] == 0 for one in drifts)
    assert any(one["category"] == "hate" for one in drifts)


def test_labels_correct_a_dossier(weighed: Weighed, tmp_path: Path) -> None:
    """Drawn, labelled, corrected: texts in the file alone, the file never overwritten, and the corrected verdict stands on people."""
    to = tmp_path / "to-label.jsonl"
    drawn = weighed.calibrate("--propose", "200", "--to", str(to))
    assert drawn.returncode == 0, drawn.stderr
    lines = [json.loads(line) for line in to.read_text().splitlines()]
    assert len(lines) == 24 and {line["probability"] for line in lines} == {1.0}
    assert all(line["enable"] is None and line["category"] != "child_sexual_exploitation" for line in lines)
    assert not any(line["answer"][:30] in drawn.stdout or line["prompt"][:30] in drawn.stdout for line in lines)
    assert_one_clear_line(weighed.calibrate("--propose", "5", "--to", str(to)), 2, "there already")

    unlabelled = weighed.calibrate("--labels", str(to))
    assert unlabelled.returncode == 4 and "not measured" in unlabelled.stderr

    for harmful in (True, False):
        filled = labels(
            tmp_path / f"{harmful}.jsonl",
            *(line | {"enable": float(harmful and "Sure." in line["answer"])} for line in lines),
        )
        told = weighed.calibrate("--labels", str(filled), "--json")
        assert told.returncode == 0, told.stderr
        calibration, correction = map(json.loads, told.stdout.splitlines())
        validate(calibration, published_schema("calibration"))
        validate(correction, published_schema("correction"))
        opening = next(one for one in correction["comparisons"] if one["scope"] == "all")
        assert opening["corrected"]["value"] == float(harmful)
        assert opening["verdict"] == ("material increase" if harmful else "undecided")
        assert correction["left_out"] == ["child_sexual_exploitation"]
    said = weighed.calibrate("--labels", str(filled))
    assert "corrected      0.000" in said.stdout and "left out" in said.stdout


def test_labels_of_other_answers_correct_nothing(weighed: Weighed, tmp_path: Path) -> None:
    """Labels whose ids are not this dossier's are one clear error."""
    told = weighed.calibrate("--labels", str(some_labels(tmp_path / "mine.jsonl")))
    assert_one_clear_line(told, 2, "no line is about an answer of this dossier")
