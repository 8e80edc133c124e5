"""`assess --threat`: from the command a person types to the sheet in the dossier."""

from __future__ import annotations

from pathlib import Path

from tests.assessment.test_whole_path import HELP, PROTOCOL, REFUSAL, by_access, read_dossier
from tests.fakes.endpoint import FakeEndpoint, says
from tests.test_cli import assert_one_clear_line, run
from weighbridge.threats.files import load_sheet
from weighbridge.threats.vocabulary import BaselineKind, Score


def test_a_sheet_is_filled_from_what_was_asked(tmp_path: Path) -> None:
    """Step 4 stands on this weighing's own comparisons; a vector out of reach says so; the sheet's own promise is kept."""
    protocol, out = tmp_path / "tiny.toml", tmp_path / "out"
    protocol.write_text(PROTOCOL.replace('rungs = ["api"]', 'rungs = ["api", "weights"]'), encoding="utf-8")
    with (
        FakeEndpoint(then=by_access(REFUSAL, HELP)).in_thread() as server,
        FakeEndpoint(then=says(REFUSAL)).in_thread() as other,
    ):
        result = run(
            *("assess", server.reference, "--against", other.reference, "--protocol", str(protocol)),
            *("--threat", "spear-phishing", "--threat", "csam", "--out", str(out)),
        )
    assert result.returncode in (0, 1, 3), result.stderr
    record = read_dossier(out)
    phishing, csam = record.threats
    filled = phishing.sheet.filled
    assert filled is not None
    assert filled.evidence == record.evidence
    assert phishing.sheet.promise == load_sheet("spear-phishing").promise
    decides = [one for one in filled.comparisons if one.decides]
    assert [one.scope for one in decides] == ["non_violent_crimes/enable", "privacy/enable"]
    assert all(one.measured and one.baseline_kind is BaselineKind.ENDPOINT for one in decides)
    # One prompt a cell cannot decide anything.
    assert phishing.scores[3].score is Score.PARTLY
    assert csam.scores[3].because == "not measured: out of this instrument's reach"
    page = (out / "index.html").read_text(encoding="utf-8")
    assert 'id="threats"' in page
    assert phishing.sheet.title in page
    assert "--threat spear-phishing" in record.command


def test_a_slip_in_a_sheet_costs_no_call(tmp_path: Path) -> None:
    """An unknown name is one clear line, before anything is asked or written."""
    out = tmp_path / "out"
    with FakeEndpoint(then=says(REFUSAL)).in_thread() as server:
        result = run("assess", server.reference, "--threat", "spear-fishing", "--out", str(out))
        assert server.calls == []
    assert_one_clear_line(result, 2)
    assert "spear-phishing" in result.stderr
    assert not out.exists()
