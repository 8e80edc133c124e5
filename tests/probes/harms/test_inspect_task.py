"""The harms suite as an Inspect task, run by Inspect itself on its mock provider."""

from __future__ import annotations

import math
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("inspect_ai", reason="needs the extra `inspect`")

from tests.probes.harms.inspect_runs import KeywordGrader, output, run
from weighbridge.errors import UsageError
from weighbridge.probes.harms import inspect_task
from weighbridge.probes.harms.suite import builtin_suite


@pytest.fixture(autouse=True)
def grader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect_task, "load_grader", lambda name: KeywordGrader())


def test_scores_each_measure_and_leaves_out_what_was_not_measured(tmp_path: Path) -> None:
    """Values are scores; what was not measured is unscored with its reason, never 0; what does not apply has no score."""
    chosen = [prompt for prompt in builtin_suite().prompts if prompt.category == "hate"]
    said = {prompt.text: "yes" for prompt in chosen}
    enable = [prompt for prompt in chosen if prompt.verb == "enable"]
    for prompt, text in zip(enable, ["no", "noise", "", "broken"], strict=False):
        said[prompt.text] = text
    log = run(tmp_path, lambda text: output(said[text]), categories="hate")
    samples = {sample.id: sample for sample in log.samples or []}
    assert set(samples) == {prompt.id for prompt in chosen}
    refused, noise, empty, broken, complied = (samples[prompt.id].scores for prompt in enable[:5])
    assert {name: score.value for name, score in complied.items()} == {"harm": 1.0, "refused": 0.0, "coherent": 1.0}
    assert {name: score.value for name, score in refused.items()} == {"harm": 0.0, "refused": 1.0, "coherent": 1.0}
    assert noise["coherent"].value == 0.0
    for scores, names, reason in (
        (noise, ("harm", "refused"), "incoherent"),
        (empty, ("harm", "refused", "coherent"), "empty answer"),
        (broken, ("harm", "refused", "coherent"), "grader failed"),
    ):
        for name in names:
            assert math.isnan(scores[name].value) and scores[name].reason == reason
            assert scores[name].explanation.startswith(f"not measured: {reason}")
    blind = next(samples[prompt.id] for prompt in chosen if prompt.verb == "endorse").scores["harm"]
    assert math.isnan(blind.value) and blind.reason == "grader blind"
    twin = next(samples[prompt.id] for prompt in chosen if prompt.benign)
    assert {name: score.value for name, score in twin.scores.items()} == {
        "answered": 1.0,
        "refused": 0.0,
        "coherent": 1.0,
    }
    assert twin.metadata["benign"] is True and twin.metadata["category"] == "hate"

    results = {score.name: score for score in log.results.scores}
    harm = results["harm"]
    # 8 enable (3 unscored, 1 refused, 4 complied), 8 encourage at 0.5, 8 endorse unscored; twins do not count at all
    assert (harm.scored_samples, harm.unscored_samples) == (13, 11)
    metrics = {metric.name.removeprefix("weighbridge/"): metric.value for metric in harm.metrics.values()}
    assert metrics["mean"] == pytest.approx((4 + 8 * 0.5) / 13)
    assert (metrics["enable"], metrics["enable n"]) == (pytest.approx(0.8), 5)
    assert (metrics["encourage"], metrics["encourage n"]) == (0.5, 8)
    assert "endorse" not in metrics and metrics["hate n"] == 13
    assert (results["answered"].scored_samples, results["answered"].unscored_samples) == (8, 0)


def test_nothing_measured_is_no_number(tmp_path: Path) -> None:
    """When no answer could be graded there is no rate: not 0, and no group claims one."""
    log = run(tmp_path, lambda text: output(""), categories="privacy", verbs="enable", per_cell=2, twins=False)
    for score in log.results.scores:
        assert score.scored_samples == 0
        assert all(math.isnan(metric.value) for metric in score.metrics.values())


def test_several_epochs_keep_unscored_apart(tmp_path: Path) -> None:
    """Over epochs, an unscored answer is left out rather than averaged in as 0."""
    answers = iter(["yes", "", "yes", ""])
    log = run(
        tmp_path,
        lambda text: output(next(answers)),
        categories="privacy",
        verbs="enable",
        per_cell=2,
        twins=False,
        epochs=2,
    )
    harm = next(score for score in log.results.scores if score.name == "harm")
    assert harm.metrics["mean"].value == 1.0
    assert len(log.samples or []) == 4


def test_asks_what_an_assessment_asks(tmp_path: Path) -> None:
    """Prompts, system prompt and decoding are those of the rung; the log says which suite and grader."""
    guard = tmp_path / "guard.txt"
    guard.write_text("You are kind: always, and brief.")
    log = run(tmp_path, lambda text: output("yes"), per_cell=1, twins=1, rung="hosted", guard=str(guard), max_tokens=7)
    samples = log.samples or []
    assert len(samples) == 48 and sum(sample.metadata["benign"] for sample in samples) == 12
    texts = {prompt.id: prompt.text for prompt in builtin_suite().prompts}
    for sample in samples:
        system, user = sample.input[:2]
        assert (system.role, system.text) == ("system", "You are kind: always, and brief.")
        assert (user.role, user.text) == ("user", texts[sample.id])
    config = log.plan.config
    assert (config.temperature, config.max_tokens) == (0.0, 7)
    assert log.eval.metadata["rung"] == "hosted" and log.eval.metadata["grader"] == KeywordGrader.identity
    assert log.eval.metadata["suite_digest"].startswith("sha256:")


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"categories": "nosuch"}, "unknown categories: nosuch"),
        ({"categories": ["hate", "child_sexual_exploitation"]}, "keeps every answer"),
        ({"verbs": ["enable", "endorse", "enjoy"]}, "unknown verbs: enjoy"),
        ({"rung": "weights"}, "cannot be asked through Inspect"),
        ({"grader": "judge:demo:smollm2"}, "not available through Inspect"),
        ({"rung": "hosted"}, "needs the provider's system prompt"),
        ({"rung": "hosted", "guard": "no/such/file"}, "cannot be read"),
    ],
)
def test_wrong_parameters_get_one_clear_line(parameters: dict[str, Any], says: str) -> None:
    """A parameter that means nothing is an error before anything is asked."""
    with pytest.raises(UsageError, match=says):
        inspect_task.harms(**parameters)


def test_inspect_finds_the_task_by_its_entry_point() -> None:
    """`inspect eval weighbridge/harms` finds the task: the distribution names this module to Inspect."""
    (found,) = [point for point in entry_points(group="inspect_ai") if point.name == "weighbridge"]
    assert found.load() is inspect_task
