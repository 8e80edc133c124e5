"""What is taken over from real result files, and what stays missing."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.evidence.importers.files import DATA, TOOL_OF, archive, document, imported, imported_from, lines, result
from weighbridge.errors import UsageError
from weighbridge.evidence.elsewhere import MadeElsewhere, Tool
from weighbridge.evidence.importers.importing import import_file
from weighbridge.evidence.records import Measured, NotMeasured, Reason

NOTHING = Reason.NOTHING_MEASURED


def value(record: MadeElsewhere, name: str) -> float:
    outcome = result(record, name).outcome
    assert isinstance(outcome, Measured)
    return outcome.value


def reason(record: MadeElsewhere, name: str) -> Reason:
    outcome = result(record, name).outcome
    assert isinstance(outcome, NotMeasured)
    return outcome.reason


def test_every_file_is_listed() -> None:
    """Each test file is of a known tool, small, and says nothing of the machine that made it."""
    assert {path.name for path in DATA.iterdir()} == set(TOOL_OF)
    for path in DATA.iterdir():
        data = path.read_bytes()
        assert len(data) < 200_000
        assert b"/tmp/" not in data and b"/root/" not in data and b"/home/" not in data


@pytest.mark.parametrize("name", TOOL_OF)
def test_recognised_by_content(name: str, tmp_path: Path) -> None:
    """A file's tool is told by its content, whatever the file is called, and naming the tool gives the same."""
    record = imported(name)
    assert record.tool is TOOL_OF[name]
    assert imported(name, TOOL_OF[name]) == record
    other = tmp_path / "renamed.txt"
    other.write_bytes((DATA / name).read_bytes())
    renamed = import_file(other, now=record.imported_at)
    assert renamed == record.model_copy(update={"file": "renamed.txt"})


@pytest.mark.parametrize("name", TOOL_OF)
def test_bound_to_the_file(name: str) -> None:
    """A record names its file by digest, is canonical JSON, and reads back as it was."""
    record = imported(name)
    assert record.file_digest.startswith("sha256:") and record.file_bytes == (DATA / name).stat().st_size
    assert MadeElsewhere.model_validate_json(record.canonical()) == record
    assert json.loads(record.canonical())["schema"] == "weighbridge.elsewhere/1"


@pytest.mark.parametrize("name", TOOL_OF)
@pytest.mark.parametrize("tool", Tool)
def test_another_tools_file_is_refused(name: str, tool: Tool) -> None:
    """A file that is read as another tool's is refused as not that tool's, and nothing is taken over."""
    if tool is not TOOL_OF[name]:
        with pytest.raises(UsageError, match=r"is not an? |not JSON|not UTF-8"):
            imported(name, tool)


def test_no_tool_is_loaded() -> None:
    """Reading needs none of the tools: an .eval archive is unpacked without Inspect."""
    imported("inspect.eval")
    loaded = {name for name in sys.modules if name.split(".")[0] in ("lm_eval", "garak", "modelscan")}
    assert not loaded
    assert (
        "inspect_ai"
        not in __import__("subprocess")
        .run(
            [
                sys.executable,
                "-c",
                "import sys; from tests.evidence.importers.files import imported; imported('inspect.eval'); "
                "print([m for m in sys.modules if m.startswith(('inspect_ai', 'torch', 'aiohttp'))])",
            ],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[3],
        )
        .stdout
    )


class TestInspect:
    def test_archive_and_json_agree(self) -> None:
        """A whole log gives value, standard error, number of samples and scorer; both forms say the same."""
        record = imported("inspect.eval")
        (found,) = record.results
        assert found.outcome == Measured(value=0.4, unit="not told")
        assert (found.n, found.grader, found.what) == (10, "includes", "general_knowledge")
        assert found.standard_error == pytest.approx(0.1633, abs=1e-4) and found.interval is None
        assert record.complete is True and record.doubts == ()
        assert record.tool_version == "0.3.285" and record.made_at == datetime(2026, 11, 26, 1, 2, 11, tzinfo=UTC)
        assert imported("inspect.json").results == record.results

    def test_samples_that_a_scorer_passed_over(self) -> None:
        """Samples without a score are counted even where Inspect says that none is unscored; a dirty source is a doubt."""
        record = imported("inspect-unscored.eval")
        assert result(record, "sometimes/accuracy").n == 5
        assert record.complete is False
        assert record.doubts == (
            "sometimes: samples without a score: 1",
            "it was run from sources with uncommitted changes",
        )

    @pytest.mark.parametrize(("name", "status"), [("inspect-broken.eval", "error"), ("inspect-killed.eval", "started")])
    def test_broken_off(self, name: str, status: str) -> None:
        """A run that failed or was killed gives each planned metric as not measured, never a number."""
        record = imported(name)
        assert reason(record, "sometimes/accuracy") is Reason.INTERRUPTED
        assert record.complete is False and status in record.doubts[0]

    def test_doubts(self, tmp_path: Path) -> None:
        """Invalidation, a limit and incomplete samples are told; only what is missing makes a log incomplete."""
        log = document("inspect.json")
        log["invalidated"] = True
        record = imported_from(tmp_path, log)
        assert record.doubts == ("the log was invalidated, in whole or in part",) and record.complete is True
        log["eval"]["config"]["limit"] = 10
        log["results"]["completed_samples"] = 9
        record = imported_from(tmp_path, log)
        assert record.complete is False and len(record.doubts) == 3

    def test_nan_metric(self, tmp_path: Path) -> None:
        """A metric of NaN, which Inspect writes for a mean of nothing, is not measured."""
        log = document("inspect.json")
        log["results"]["scores"][0]["metrics"]["accuracy"]["value"] = float("nan")
        record = imported_from(tmp_path, log)
        assert reason(record, "includes/accuracy") is NOTHING and record.complete is False

    def test_judge(self, tmp_path: Path) -> None:
        """A scorer's judge model is named as the grader."""
        log = document("inspect.json")
        log["results"]["scores"][0]["params"] = {"model": "openai/judge"}
        assert imported_from(tmp_path, log).results[0].grader == "openai/judge"

    def test_digest_only_from_our_own_export(self, tmp_path: Path) -> None:
        """A digest in the metadata counts only where weighbridge's export wrote it and it is whole."""
        log, digest = document("inspect.json"), "sha256:" + "a" * 64
        log["eval"]["metadata"] = {"digest": digest}
        assert imported_from(tmp_path, log).subject_digest is None
        log["eval"]["metadata"]["exported_by"] = "weighbridge 0.1.0"
        assert imported_from(tmp_path, log).subject_digest == digest
        log["eval"]["metadata"]["digest"] = digest[:-1]
        assert imported_from(tmp_path, log).subject_digest is None

    def test_deflated_and_stored_archives(self, tmp_path: Path) -> None:
        """Archives of versions before Zstandard are read as well."""
        log = document("inspect.json")
        log.pop("samples")
        for method in (0, 8):
            path = archive(tmp_path / f"{method}.eval", {"header.json": json.dumps(log).encode()}, method)
            record = import_file(path, now=datetime.now(UTC))
            assert record.results == imported("inspect.json").results
            assert record.doubts == ("the archive holds 0 of 10 samples",)


class TestLmEval:
    def test_values(self) -> None:
        """Each metric comes with its standard error, direction, number of samples and the harness's version."""
        record = imported("lm_eval.json")
        assert [found.name.split("/")[1] for found in record.results] == ["acc", "acc_norm"]
        assert value(record, "weighbridge_general_knowledge/acc") == 0.6
        found = record.results[0]
        assert (found.n, found.higher_is_better, found.settings["fewshot"]) == (10, True, "0")
        assert found.standard_error == pytest.approx(0.1633, abs=1e-4)
        assert record.tool_version == "0.4.13" and record.complete is True
        assert record.subject_named == "., SmolLM2-135M-Instruct.Q4_1.gguf" and record.subject_digest is None

    def test_limited(self) -> None:
        """A run of a part of a task is incomplete and says which part."""
        record = imported("lm_eval-limited.json")
        assert record.complete is False and record.results[0].n == 3
        assert "3 of 10 samples" in record.doubts[1]

    def test_no_standard_error(self) -> None:
        """A standard error that the harness writes as N/A stays untold; the value stays."""
        (found,) = imported("lm_eval-one.json").results
        assert found.standard_error is None and found.outcome == Measured(value=0, unit="not told") and found.n == 1

    @pytest.mark.parametrize("there", [None, "N/A", float("nan"), float("inf"), True, [], 10**400])
    def test_missing_values(self, there: Any, tmp_path: Path) -> None:
        """A value that is null, text, NaN, infinite or no number is not measured, and the file is incomplete."""
        found = document("lm_eval.json")
        found["results"]["weighbridge_general_knowledge"]["acc,none"] = there
        record = imported_from(tmp_path, found)
        assert reason(record, "weighbridge_general_knowledge/acc") is NOTHING
        assert value(record, "weighbridge_general_knowledge/acc_norm") == 0.7
        assert record.complete is False

    def test_no_metric(self, tmp_path: Path) -> None:
        """A task without a metric is not measured; a group that is only a heading has no result."""
        found = document("lm_eval.json")
        found["results"] |= {"empty": {"alias": "empty"}, "heading": {"alias": "heading", " ": " "}}
        found["group_subtasks"] = {"heading": ["empty"], "empty": []}
        record = imported_from(tmp_path, found)
        assert reason(record, "empty/score") is NOTHING
        assert not [each for each in record.results if each.what == "heading"]

    def test_before_filters(self, tmp_path: Path) -> None:
        """Files of the harness before filters have plain keys; what they do not tell stays untold."""
        old = {
            "results": {"hellaswag": {"acc": 0.28, "acc_stderr": 0.0045, "acc_norm": 0.31, "acc_norm_stderr": 0.0046}},
            "versions": {"hellaswag": 0},
            "config": {"model": "gpt2", "model_args": "pretrained=gpt2", "num_fewshot": 0, "limit": None},
        }
        record = imported_from(tmp_path, old)
        assert [found.metric for found in record.results] == ["acc", "acc_norm"]
        assert record.results[0].standard_error == 0.0045 and record.results[0].n is None
        assert record.complete is None and record.tool_version is None and record.subject_named == "pretrained=gpt2"


class TestGarak:
    def test_values(self) -> None:
        """Each probe and detector gives the share of outputs that failed, garak's own interval, and what is lower is better."""
        record = imported("garak.report.jsonl")
        assert value(record, "goodside.WhoIsRiley/goodside.RileyIsnt") == 0.5
        found = result(record, "encoding.InjectBase64/encoding.DecodeMatch")
        assert found.n == 32 and found.higher_is_better is False and found.interval is not None
        assert (found.interval.low, found.interval.high, found.interval.level, found.interval.method) == (
            0,
            0,
            0.95,
            "bootstrap",
        )
        assert record.complete is True and record.tool_version == "0.17.1" and record.subject_named == "smollm2"

    def test_interval_without_width(self) -> None:
        """An interval of no width, which resampling gives of outputs that all agree, is a doubt."""
        assert sum("no width" in doubt for doubt in imported("garak.report.jsonl").doubts) == 2

    def test_no_output(self) -> None:
        """When no output came there is no share: not 0 of 0, not "nothing failed"."""
        record = imported("garak-nothing.report.jsonl")
        assert reason(record, "goodside.WhoIsRiley/goodside.RileyIsnt") is NOTHING
        assert record.complete is False and "12 outputs are missing" in record.doubts[0]

    def test_aborted(self) -> None:
        """A run that was broken off gives the probes that were chosen as not measured."""
        record = imported("garak-aborted.report.jsonl")
        assert [found.what for found in record.results] == ["encoding.InjectBase64", "goodside.WhoIsRiley"]
        assert all(isinstance(found.outcome, NotMeasured) for found in record.results)
        assert record.complete is False and "broken off" in record.doubts[0]

    def test_older_entries(self, tmp_path: Path) -> None:
        """Reports of 2025 say only passed and total, with a prefix before the detector; what is missing is not told there."""
        record = imported("garak-old.report.jsonl")
        found = result(record, "goodside.WhoIsRiley/goodside.RileyIsnt")
        assert found.outcome == Measured(value=0, unit="share") and found.n == 12 and found.interval is None
        assert record.tool_version == "0.10.3" and record.complete is None and record.subject_named == "test.Repeat"
        assert record.doubts == ("this version of garak does not say how many outputs are missing",)
        report = lines("garak-old.report.jsonl")
        kept = [each for each in report if each.get("probe") != "test.Test" and each["entry_type"] != "completion"]
        record = imported_from(tmp_path, kept)
        assert reason(record, "test.Test/no detector") is Reason.INTERRUPTED and len(record.results) == 2

    def test_a_torn_last_line(self, tmp_path: Path) -> None:
        """A last line that is cut short is told; a broken line before it is an error with its number."""
        data = (DATA / "garak.report.jsonl").read_bytes()
        whole = b"".join(data.splitlines(keepends=True)[:-1])
        record = imported_from(tmp_path, whole + data.splitlines()[-1][:50])
        assert "the last line is cut short" in record.doubts and record.complete is False
        with pytest.raises(UsageError, match=r"line \d+: is not JSON"):
            imported_from(tmp_path, whole + b'{"entry_type": \n' + data.splitlines()[-1] + b"\n", Tool.GARAK)

    def test_counts_that_do_not_fit(self, tmp_path: Path) -> None:
        """Passed and failed that are not the total, or more passed than there are, give no value."""
        for change in ({"fails": 5}, {"passed": 99}, {"fails": None, "passed": 13}, {"total_evaluated": "12"}):
            report = lines("garak.report.jsonl")
            entry = next(each for each in report if each.get("probe") == "goodside.WhoIsRiley" and "passed" in each)
            entry.update(change)
            record = imported_from(tmp_path, report)
            assert reason(record, "goodside.WhoIsRiley/goodside.RileyIsnt") is NOTHING

    def test_a_probe_without_entry(self, tmp_path: Path) -> None:
        """A chosen probe whose entry is not in the report is not measured, though the run ended."""
        kept = [
            each
            for each in lines("garak.report.jsonl")
            if each.get("entry_type") != "eval" or each["probe"] != "goodside.WhoIsRiley"
        ]
        record = imported_from(tmp_path, kept)
        assert reason(record, "goodside.WhoIsRiley/no detector") is NOTHING and record.complete is False


class TestPromptfoo:
    def test_values(self) -> None:
        """Pass rates are counted by provider and prompt; named metrics come beside them; texts do not."""
        record = imported("promptfoo.json")
        rates = [found for found in record.results if found.metric == "pass rate"]
        assert [isinstance(found.outcome, Measured) for found in rates] == [True, True, False, False]
        assert rates[0].outcome == Measured(value=1 / 3) and rates[0].n == 3 and rates[0].grader == "icontains"
        assert record.subject_named is None and rates[0].subject_named == "smollm2"
        assert record.tool_version == "0.121.20"
        assert b"France" not in record.canonical() and b"Marseillaise" not in record.canonical()

    def test_errors_are_no_failures(self) -> None:
        """A provider that never answered has no pass rate: its rows are neither passed nor failed."""
        record = imported("promptfoo.json")
        gone = [found for found in record.results if found.subject_named == "nobody listens"]
        assert all(found.outcome.kind == "not measured" for found in gone)
        assert isinstance(gone[0].outcome, NotMeasured) and gone[0].outcome.reason is Reason.PROVIDER_ERROR
        assert record.complete is False and "3 of 3 rows are errors" in record.doubts[0]

    def test_rows_cut_out(self, tmp_path: Path) -> None:
        """With failed rows cut out the rates do not rise: nothing is taken over, as the summary counts more."""
        found = document("promptfoo.json")
        found["results"]["results"] = [row for row in found["results"]["results"] if row["success"]]
        record = imported_from(tmp_path, found)
        assert record.complete is False
        assert all(isinstance(each.outcome, NotMeasured) for each in record.results)


class TestModelScan:
    def test_values(self) -> None:
        """A file has as many issues as were found; what was skipped or could not be read has no number."""
        record = imported("modelscan.json")
        assert value(record, "runs.pkl/unsafe operators") == 1 and value(record, "plain.pkl/unsafe operators") == 0
        assert reason(record, "torn.pkl/unsafe operators") is Reason.PROVIDER_ERROR
        assert reason(record, "notes.txt/unsafe operators") is Reason.NOT_IMPLEMENTED
        assert record.results[1].settings == {"severities": "CRITICAL 1", "operators": "posix.system"}
        assert record.complete is False and record.tool_version == "0.8.8" and record.subject_digest is None

    def test_nothing_scanned(self) -> None:
        """A report without issues of a folder in which nothing was scanned is not measured, not clean."""
        record = imported("modelscan-nothing.json")
        assert reason(record, "nothing/unsafe operators") is NOTHING and record.complete is False

    def test_clean(self) -> None:
        """A clean file is clean; whether others were left out, a report without its list of skipped files does not say."""
        record = imported("modelscan-clean.json")
        assert value(record, "plain.pkl/unsafe operators") == 0 and record.complete is None

    def test_an_issue_cut_out(self, tmp_path: Path) -> None:
        """With an issue cut out of the list the file does not become clean: the summary counts one more."""
        found = document("modelscan.json")
        found["issues"] = []
        record = imported_from(tmp_path, found)
        assert not any(isinstance(each.outcome, Measured) for each in record.results)


class TestEveryEvalEver:
    def test_values(self) -> None:
        """Value, unit, interval, level, method, number, direction, grader and digest come over."""
        record = imported("every_eval_ever.json")
        found = record.results[0]
        assert found.outcome == Measured(value=13 / 21, unit="proportion") and found.n == 21
        assert (
            found.interval is not None and found.interval.method == "Clopper-Pearson" and found.interval.level == 0.95
        )
        assert found.higher_is_better is True and str(found.grader).startswith("offline@sha256:")
        assert record.subject_digest == record.subject_named and len(record.results) == 35
        assert record.tool_version == "0.3.0" and record.complete is None

    def test_unknown_level(self, tmp_path: Path) -> None:
        """-1 of a metric with an unknown level is not measured; of another metric it is a number."""
        found = document("every_eval_ever.json")
        first, second = found["evaluation_results"][:2]
        first["metric_config"]["has_unknown_level"] = True
        first["score_details"]["score"] = second["score_details"]["score"] = -1
        record = imported_from(tmp_path, found)
        assert isinstance(record.results[0].outcome, NotMeasured) and record.results[0].interval is None
        assert record.results[1].outcome == Measured(value=-1, unit="proportion")

    def test_whence(self, tmp_path: Path) -> None:
        """Results from documentation, and of the model's own maker, are doubts; judges are named."""
        found = document("every_eval_ever.json")
        found["source_metadata"] |= {"source_type": "documentation", "evaluator_relationship": "first_party"}
        found["evaluation_results"][0]["metric_config"]["llm_scoring"] = {
            "judges": [{"model_info": {"id": "a/judge"}}, {"model_info": {"id": "b/judge"}}],
            "input_prompt": "Judge.",
        }
        record = imported_from(tmp_path, found)
        assert len(record.doubts) == 2 and record.results[0].grader == "a/judge, b/judge"


def test_two_fit(tmp_path: Path) -> None:
    """A file that could be of two tools is refused with both names, and read as the one that is named."""
    both = document("modelscan.json") | document("lm_eval.json")
    with pytest.raises(UsageError, match="could be of lm-eval or modelscan; say which with --tool"):
        imported_from(tmp_path, both)
    assert imported_from(tmp_path, both, Tool.MODELSCAN).tool is Tool.MODELSCAN


@pytest.mark.parametrize(
    "content", [{}, {"results": {}}, {"entry": 1}, b"[]", b"", b"hello", b"PK\x03\x04", b"\xff\xfe\x00"]
)
def test_no_tool_fits(content: Any, tmp_path: Path) -> None:
    """A file of no known tool is refused in one sentence that lists the tools."""
    with pytest.raises(UsageError) as caught:
        imported_from(tmp_path, content)
    assert "changed.json" in str(caught.value) and (
        "inspect, lm-eval, garak, promptfoo, modelscan, every-eval-ever" in str(caught.value)
        or content == b"PK\x03\x04"
    )
