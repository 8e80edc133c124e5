"""Attestations: what a file may say, and how each stands to its document."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest
import yaml

from weighbridge.digests import digest_bytes
from weighbridge.errors import UsageError
from weighbridge.evidence.attestations import (
    Attestation,
    AttestationsError,
    Standing,
    Status,
    load_attestations,
    new_attestations_text,
    no_evidence,
    parse_attestations,
    standing,
)

DIGEST = digest_bytes(b"the document")
DONE = {
    "document": "impact-assessment",
    "status": "done",
    "file": "docs/ia.pdf",
    "digest": DIGEST,
    "who": "A. Person",
    "role": "programme owner",
    "at": "2026-11-20",
}


def text(*entries: dict[str, object], **more: object) -> str:
    return yaml.safe_dump({"schema": "weighbridge.attestations/1", **more, "attestations": list(entries)})


def without(*keys: str, **more: object) -> dict[str, object]:
    return {key: value for key, value in DONE.items() if key not in keys} | more


def test_a_file_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """What is written is what is read, with defaults only where the format has them."""
    path = tmp_path / "attestations.yaml"
    path.write_text(text(without(valid_until="2027-11-20")))
    (one,) = load_attestations(path).attestations
    assert (one.status, one.independent, one.until) == (Status.DONE, False, date(2027, 11, 20))
    assert one.file == "docs/ia.pdf"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (without("file"), "file and digest come together"),
        (without("file", "digest"), "what is done has a document"),
        (without("file", "digest", status="not done"), "not done needs a why"),
        (without("file", "digest", status="not applicable"), "not applicable needs a why"),
        (without("file", "digest", status="waived", why="w"), "waived needs waived_by and waived_until"),
        (without(valid_until="2026-11-19"), "valid_until (2026-11-19) is before at (2026-11-20)"),
        (without(waived_by="CAIO"), "belong to waived, not to done"),
        (without(file="../elsewhere.pdf"), "must be a path below the folder"),
        (without(file="/etc/passwd"), "must be a path below the folder"),
        (without(digest="sha256:12"), "must be sha256: and 64 hexadecimal digits"),
        (without(document="Impact Assessment"), "lower-case words joined by hyphens"),
        (without(requirement="us-m-25-21"), "must be STANDARD/REQUIREMENT"),
        (without(status="yes"), "must be one of done, in progress"),
        (without(independent="yes"), "must be true or false"),
        (without(signed=True), "unknown key"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(entry: dict[str, object], said: str) -> None:
    """Each fault is refused, in words and with its line."""
    with pytest.raises(AttestationsError, match=r"line \d") as caught:
        parse_attestations(text(entry), "a.yaml")
    assert said in str(caught.value)


def test_two_attestations_of_one_thing_are_refused() -> None:
    """A later attestation replaces the earlier: two side by side would let the worse one be taken away."""
    with pytest.raises(AttestationsError, match="impact-assessment is attested 2 times"):
        parse_attestations(text(DONE, without("file", "digest", status="not done", why="w")), "a.yaml")
    with pytest.raises(AttestationsError, match="keep one of the two"):
        parse_attestations(text(DONE, without(requirement="s/r")), "a.yaml")
    assert parse_attestations(text(without(requirement="s/a"), without(requirement="s/b")), "a.yaml")


def test_a_waiver_ends_with_its_own_date() -> None:
    """A waiver no longer counts after its last day, however long the attestation is said to be valid."""
    waived = without(
        "file",
        "digest",
        status="waived",
        why="pilot",
        waived_by="CAIO",
        waived_until="2026-12-01",
        valid_until="2027-12-01",
    )
    (one,) = parse_attestations(text(waived), "a.yaml").attestations
    assert not one.expired(date(2026, 12, 1))
    assert one.expired(date(2026, 12, 2))


def test_a_file_bound_to_a_subject_and_use_speaks_of_no_other() -> None:
    """Attestations that name a subject or a use are none of another, nor of an undeclared use."""
    found = parse_attestations(text(DONE, subject="sha256:a", use="benefits-eligibility"), "a.yaml")
    assert found.not_of("sha256:a", "benefits-eligibility") is None
    assert found.not_of("sha256:b", "benefits-eligibility") == "the attestations are of another subject"
    assert "not hiring" in str(found.not_of("sha256:a", "hiring"))
    assert "no use is declared" in str(found.not_of("sha256:a", None))


def _attested(**more: object) -> Attestation:
    return parse_attestations(text(without(**more)), "a.yaml").attestations[0]


def test_a_document_is_the_same_differs_or_is_not_here(tmp_path: Path) -> None:
    """The document's own bytes decide, read where the attestation says it is."""
    one, place = _attested(), tmp_path / "docs" / "ia.pdf"
    assert standing(one, tmp_path) is Standing.NOT_HERE
    place.parent.mkdir()
    place.write_bytes(b"the document")
    assert standing(one, tmp_path) is Standing.SAME
    place.write_bytes(b"the document, changed")
    assert standing(one, tmp_path) is Standing.DIFFERS


def test_a_link_out_of_the_folder_a_pipe_and_a_folder_are_not_here(tmp_path: Path) -> None:
    """Nothing outside the folder is read, and nothing that could block."""
    inner = tmp_path / "inner"
    (inner / "docs").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(b"the document")
    (inner / "docs" / "ia.pdf").symlink_to(tmp_path / "secret")
    assert standing(_attested(), inner) is Standing.NOT_HERE
    os.mkfifo(inner / "pipe")
    assert standing(_attested(file="pipe"), inner) is Standing.NOT_HERE
    assert standing(_attested(file="docs"), inner) is Standing.NOT_HERE
    (inner / "round").symlink_to(inner / "round")
    assert standing(_attested(file="round"), inner) is Standing.NOT_HERE


def test_taking_a_changed_document_away_does_not_help() -> None:
    """A missing document counts as little as a changed one; only the same bytes make "done" evidence."""
    one = _attested()
    assert no_evidence(one, Standing.SAME) is None
    assert "differs" in str(no_evidence(one, Standing.DIFFERS))
    assert "not here" in str(no_evidence(one, Standing.NOT_HERE))
    against = parse_attestations(text(without("file", "digest", status="not done", why="w")), "a").attestations[0]
    assert no_evidence(against, standing(against, Path())) is None


def test_a_new_file_attests_nothing_and_loads() -> None:
    """What a person begins with loads as it is, bound to subject and use, and says what is asked for."""
    new = new_attestations_text(
        today=date(2026, 11, 26), subject="endpoint:http://a#m", use="hiring", documents=["impact-assessment"]
    )
    found = parse_attestations(new, "attestations.yaml")
    assert (found.subject, found.use, found.attestations) == ("endpoint:http://a#m", "hiring", ())
    assert "# to be attested: impact-assessment" in new


def test_a_hostile_file_is_refused(tmp_path: Path) -> None:
    """Aliases that explode, tags and keys that are there twice are refused; a missing file is the caller's."""
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\n" + "".join(
        f"c{i}: &c{i} [*{'b' if i == 0 else f'c{i - 1}'}, *b]\n" for i in range(40)
    )
    for bad in ("schema: !!python/object:os.system x", "schema: a\nschema: b", bomb, "[" * 1000):
        with pytest.raises(AttestationsError):
            parse_attestations(bad, "a.yaml")
    with pytest.raises(UsageError, match="no such attestations file"):
        load_attestations(tmp_path / "none.yaml")
