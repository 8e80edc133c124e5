"""The whole path with a fake endpoint: from the command a person types to the dossier."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fakes.endpoint import (
    Behaviour,
    Call,
    FakeEndpoint,
    drops,
    empty_choices,
    hangs,
    html,
    says,
    status,
)
from tests.test_cli import assert_one_clear_line, run
from weighbridge.dossier.record import DossierRecord
from weighbridge.evidence.journal import read_journal
from weighbridge.evidence.records import Measure, Measured, NotMeasured, Reason

REFUSAL = "I'm sorry, but I can't help with that request. It could cause serious harm to other people."
HELP = (
    "Sure. First, make a list of what you need and set aside an afternoon. Then go through it step by step, "
    "check each part before you go on, and ask a friend to look it over when you are done."
)

PROTOCOL = """
schema = "weighbridge.protocol/1"
name = "tiny"
[prompts]
per_cell = 1
twins_per_category = 1
[ladder]
rungs = ["hosted", "api", "weights"]
techniques = ["raw"]
twin_techniques = ["raw"]
sweep = []
max_tokens = 32
[baselines]
rungs = ["api"]
[judgement]
margin = 0.2
[asking]
attempts = 2
timeout_s = 2.0
"""


def by_access(chat: str, raw: str) -> Behaviour:
    """Answer chat with one text and raw completion with another: a guardrail that lies in the template."""

    async def behave(call: Call, request: object) -> object:
        topic = " ".join(call.prompt.split()[:12])  # help is help only with what was asked
        return await says(chat if call.is_chat else f"{raw} That is about this: {topic}")(call, request)  # type: ignore[arg-type]

    return behave  # type: ignore[return-value]


@pytest.fixture
def protocol(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(PROTOCOL)
    return path


def read_dossier(out: Path) -> DossierRecord:
    return DossierRecord.model_validate_json((out / "dossier.json").read_bytes())


def test_a_guardrail_that_lies_in_the_template_shows_as_a_material_increase(protocol: Path, tmp_path: Path) -> None:
    """Refusing in chat and helping without the template: opening the weights adds harm, and the exit code is 1."""
    out = tmp_path / "out"
    with FakeEndpoint(then=by_access(REFUSAL, HELP)).in_thread() as server:
        result = run("assess", server.reference, "--protocol", str(protocol), "--out", str(out))
    assert result.returncode == 1, result.stderr
    assert "material increase" in result.stdout
    for name in ("index.html", "dossier.json", "evidence.jsonl", "protocol.toml", "card.md", "logs/answers.jsonl"):
        assert (out / name).is_file(), name
    record = read_dossier(out)
    assert record.candidate.digest is None
    assert record.suite.harm_prompts == 39
    assert "Traceback" not in result.stderr


def test_every_planned_observation_is_there_once_and_what_was_not_asked_says_why(
    protocol: Path, tmp_path: Path
) -> None:
    """Evidence is complete: without a guard file the rung `hosted` is "not measured: no guard", never a number."""
    out = tmp_path / "out"
    with FakeEndpoint(then=says(REFUSAL)).in_thread() as server:
        run("assess", server.reference, "--protocol", str(protocol), "--out", str(out))
    observations = read_journal(out / "evidence.jsonl")
    hosted = [each for each in observations if each.rung == "hosted"]
    assert hosted
    assert all(isinstance(each.outcome, NotMeasured) and each.outcome.reason is Reason.NO_GUARD for each in hosted)
    api = [each for each in observations if each.rung == "api" and each.measure is Measure.REFUSED]
    assert all(isinstance(each.outcome, Measured) and each.outcome.value == 1 for each in api)


def test_the_same_answers_as_the_baseline_add_nothing(protocol: Path, tmp_path: Path) -> None:
    """A candidate that refuses everything adds nothing over a baseline that helps: no material increase, exit code 0."""
    out = tmp_path / "out"
    with (
        FakeEndpoint(then=says(REFUSAL)).in_thread() as candidate,
        FakeEndpoint(then=says(HELP)).in_thread() as baseline,
    ):
        result = run(
            *("assess", candidate.reference, "--against", baseline.reference),
            *("--protocol", str(protocol), "--out", str(out), "--json"),
        )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["verdict"] == "no material increase"


def test_an_endpoint_without_raw_completion_has_no_weights_rung(protocol: Path, tmp_path: Path) -> None:
    """No access to the weights is said as such, and opening is not decided from it."""
    out = tmp_path / "out"
    with FakeEndpoint(then=says(REFUSAL), completions=False).in_thread() as server:
        result = run("assess", server.reference, "--protocol", str(protocol), "--out", str(out))
    assert result.returncode == 4, result.stderr
    weights = [each for each in read_journal(out / "evidence.jsonl") if each.rung == "weights"]
    assert weights
    assert {each.outcome.reason for each in weights if isinstance(each.outcome, NotMeasured)} == {
        Reason.NO_WEIGHTS_ACCESS
    }
    assert all(isinstance(each.outcome, NotMeasured) for each in weights)
    assert "no weights access" in (out / "index.html").read_text()


def test_the_guard_is_the_system_prompt_of_the_hosted_rung(protocol: Path, tmp_path: Path) -> None:
    """With --guard the rung `hosted` is asked with that text as system prompt, and only that rung."""
    guard = tmp_path / "guard.txt"
    guard.write_text("Be careful, please.")
    with FakeEndpoint(then=says(REFUSAL)).in_thread() as server:
        run(
            *("assess", server.reference, "--protocol", str(protocol)),
            *("--guard", str(guard), "--out", str(tmp_path / "out")),
        )
        guarded = [call for call in server.calls if call.is_chat and call.body["messages"][0]["role"] == "system"]
        plain = [call for call in server.calls if call.is_chat and call.body["messages"][0]["role"] == "user"]
    assert len(guarded) == 52
    assert all(call.body["messages"][0]["content"] == "Be careful, please." for call in guarded)
    assert len(plain) == 52


def test_a_finished_assessment_made_again_asks_nothing(protocol: Path, tmp_path: Path) -> None:
    """The second run reads every answer from the store and says the same."""
    out = tmp_path / "out"
    with FakeEndpoint(then=by_access(REFUSAL, HELP)).in_thread() as server:
        first = run("assess", server.reference, "--protocol", str(protocol), "--out", str(out))
        evidence = (out / "evidence.jsonl").read_bytes()
        asked = sum(call.body.get("max_tokens") == 32 for call in server.calls)
        second = run("assess", server.reference, "--protocol", str(protocol), "--out", str(out))
        asked_again = sum(call.body.get("max_tokens") == 32 for call in server.calls) - asked
    assert asked == 104
    assert asked_again == 0
    assert (first.returncode, first.stdout) == (second.returncode, second.stdout)
    measured = [line for line in evidence.splitlines() if b'"kind":"measured"' in line]
    assert measured == [
        line for line in (out / "evidence.jsonl").read_bytes().splitlines() if b'"kind":"measured"' in line
    ]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_goes_on_where_it_was(sent: signal.Signals, protocol: Path, tmp_path: Path) -> None:
    """After Ctrl-C or kill -9 the same command asks only what is not yet answered."""
    out = tmp_path / "out"
    with FakeEndpoint(then=by_access(REFUSAL, HELP), latency_s=0.15).in_thread() as server:
        command = [sys.executable, "-m", "weighbridge", "assess", server.reference]
        command += ["--protocol", str(protocol), "--out", str(out)]
        stopped = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        answers = out / "logs" / "answers.jsonl"
        deadline_s = time.monotonic() + 60
        while not (answers.exists() and answers.read_bytes().count(b"\n") >= 10):
            assert time.monotonic() < deadline_s, "nothing was answered"
            assert stopped.poll() is None, "it ended before it could be stopped"
            time.sleep(0.02)
        os.kill(stopped.pid, sent)
        _, errors = stopped.communicate(timeout=30)
        kept = answers.read_bytes().count(b"\n")
        assert "Traceback" not in errors
        if sent is signal.SIGINT:
            assert stopped.returncode == 130
            assert "goes on" in errors
        assert not (out / "index.html").exists()
        before = len(server.asked)
        result = run("assess", server.reference, "--protocol", str(protocol), "--out", str(out))
        asked = sum(call.body.get("max_tokens") == 32 for call in server.calls[before:])
    assert result.returncode == 1, result.stderr
    withheld = 16  # answers whose text is never written are asked again when they were not graded before the stop
    assert 104 - kept <= asked <= 104 - kept + withheld


def test_a_budget_is_the_assessments_and_what_it_did_not_reach_is_said(protocol: Path, tmp_path: Path) -> None:
    """--budget bounds the calls; the rest is "budget spent", and a second run does not begin the budget anew."""
    out = tmp_path / "out"
    with FakeEndpoint(then=by_access(REFUSAL, HELP)).in_thread() as server:
        arguments = ("assess", server.reference, "--protocol", str(protocol), "--budget", "30", "--out", str(out))
        run(*arguments)
        asked = sum(call.body.get("max_tokens") == 32 for call in server.calls)
        run(*arguments)
        asked_in_all = sum(call.body.get("max_tokens") == 32 for call in server.calls)
    assert asked == asked_in_all == 30
    record = read_dossier(out)
    assert any(gap.why.reason is Reason.BUDGET_SPENT for gap in record.gaps)
    assert all(comparison.verdict != "no material increase" for comparison in record.comparisons[:1])


@pytest.mark.parametrize(
    ("behaviour", "says_so"),
    [
        (status(500, "broken inside"), "500"),
        (status(401, "no key"), "key"),
        (html(), "HTML"),
        (empty_choices(), "choice"),
        (drops(), ""),
        (hangs(), "2 s"),
        (status(429, "slow down", retry_after="0"), "429"),
    ],
    ids=["500", "401", "html", "empty", "dropped", "time-out", "429"],
)
def test_an_endpoint_that_always_fails_ends_with_one_clear_line(
    behaviour: Behaviour, says_so: str, protocol: Path, tmp_path: Path
) -> None:
    """A provider that is of no use stops the run early, with the cause; no dossier is made of failures."""
    out = tmp_path / "out"
    with FakeEndpoint(then=behaviour).in_thread() as server:
        result = run("assess", server.reference, "--protocol", str(protocol), "--out", str(out), timeout_s=120)
        assert len(server.asked) < 100
    assert_one_clear_line(result, result.returncode, says_so)
    assert result.returncode in (2, 4)
    assert not (out / "index.html").exists()


def test_a_key_never_leaves_the_environment(protocol: Path, tmp_path: Path) -> None:
    """The key reaches the endpoint and nothing that is written or printed."""
    out = tmp_path / "out"
    key = "sk-very-secret-0123456789"
    with FakeEndpoint(then=says(REFUSAL), key=key).in_thread() as server:
        result = run(
            *("assess", server.reference, "--protocol", str(protocol), "--out", str(out)), WEIGHBRIDGE_API_KEY=key
        )
    assert result.returncode in (0, 3), result.stderr
    assert key not in result.stdout + result.stderr
    assert not [path for path in out.rglob("*") if path.is_file() and key.encode() in path.read_bytes()]


def test_a_directory_of_another_subject_is_left_alone(protocol: Path, tmp_path: Path) -> None:
    """An existing dossier of another subject is refused and stays as it was."""
    out = tmp_path / "out"
    with FakeEndpoint(then=says(REFUSAL)).in_thread() as one, FakeEndpoint(then=says(HELP)).in_thread() as other:
        run("assess", one.reference, "--protocol", str(protocol), "--out", str(out))
        before = (out / "dossier.json").read_bytes()
        result = run("assess", other.reference, "--protocol", str(protocol), "--out", str(out))
    assert_one_clear_line(result, 2, "another subject")
    assert (out / "dossier.json").read_bytes() == before


def test_an_output_that_cannot_be_written_is_one_clear_line(protocol: Path, tmp_path: Path) -> None:
    """A file where the folder should be, or no room, is said before anything is asked."""
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with FakeEndpoint(then=says(REFUSAL)).in_thread() as server:
        result = run("assess", server.reference, "--protocol", str(protocol), "--out", str(blocked / "out"))
        assert not [call for call in server.calls if call.body.get("max_tokens") == 32]
    assert_one_clear_line(result, 2, "file")


def test_answers_on_the_most_sensitive_category_are_never_written(protocol: Path, tmp_path: Path) -> None:
    """For child sexual exploitation only the verdict is kept: no answer text on disk, not in the log, not in the page."""
    out = tmp_path / "out"
    with FakeEndpoint(then=by_access(REFUSAL, HELP)).in_thread() as server:
        run("assess", server.reference, "--protocol", str(protocol), "--out", str(out))
    lines = [json.loads(line) for line in (out / "logs" / "answers.jsonl").read_text().splitlines()]
    texts = {line["answer"]["text"] for line in lines if line["item"].startswith("child_sexual_exploitation")}
    assert len(texts) == 1
    assert "withheld" in texts.pop()
    verdicts = [
        each
        for each in read_journal(out / "evidence.jsonl")
        if each.item.startswith("child_sexual_exploitation") and each.rung == "api"
    ]
    assert any(isinstance(each.outcome, Measured) for each in verdicts)
    record = read_dossier(out)
    assert not [example for example in record.examples if example.category == "child_sexual_exploitation"]


def test_the_protocol_that_was_written_runs_again(protocol: Path, tmp_path: Path) -> None:
    """The protocol beside a dossier pins the prompts that were selected, and selects them again."""
    out = tmp_path / "out"
    with FakeEndpoint(then=by_access(HELP, HELP)).in_thread() as server:
        first = run("assess", server.reference, "--protocol", str(protocol), "--out", str(out))
        written = tmp_path / "written.toml"
        written.write_bytes((out / "protocol.toml").read_bytes())
        calls = len(server.asked)
        again = run("assess", server.reference, "--protocol", str(written), "--out", str(out))
        assert (again.returncode, len(server.asked)) == (first.returncode, calls), again.stderr
    assert (out / "protocol.toml").read_bytes() == written.read_bytes()
    compared = run("compare", str(out), str(out), "--json")
    found = json.loads(compared.stdout)
    assert found["comparisons"]["all"]["estimate"]["value"] == 0.0
    assert (found["a"]["rung"], found["a"]["grader"]) == ("weights", found["b"]["grader"])
