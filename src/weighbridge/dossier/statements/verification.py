"""Whether statements hold: their signatures, their time, and that they are about these very files and this very model.

Pure: bytes, digests, keys and the time come in. What is not known fails; nothing here raises for what a stranger wrote.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from weighbridge.dossier.statements.envelope import Signed, check_envelope, read_envelope
from weighbridge.dossier.statements.failures import Failure, Problem, Refused
from weighbridge.dossier.statements.keys import PublicKey
from weighbridge.dossier.statements.strict_json import read_canonical
from weighbridge.subject.roots import root_of
from weighbridge.subject.shown import shown

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
WEIGHING = "https://github.com/weighbridge/weighbridge/predicate/weighing/v1"
NOTICE = "https://github.com/weighbridge/weighbridge/predicate/notice/v1"  # read by `registry.stated_notice`: no dossier has one
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
SVR = "https://in-toto.io/attestation/svr/v0.2"
VULNS = "https://in-toto.io/attestation/vulns/v0.2"
PREDICATES = (WEIGHING, TEST_RESULT, SVR, VULNS)
# The files of a dossier that a statement binds, each when it is there. Closed: a name in a statement is a stranger's word.
BOUND_FILES = (
    "dossier.json",
    "evidence.jsonl",
    "protocol.toml",
    "inspection.json",
    "components.json",
    "imported/index.json",
    "terms.json",
    "card.md",
    "index.html",
    "datasheet.html",
    "terms.html",
)
# How far two clocks may differ: a statement made up to this long after "now" is taken. Nothing is added to its end.
SKEW = timedelta(minutes=5)
MAX_SUPERSEDED = 10_000

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
# What a statement of the past may fail in, once a newer one that holds has taken its place.
_OF_THE_PAST = {
    Failure.SUPERSEDED,
    Failure.EXPIRED,
    Failure.CHANGED_FILE,
    Failure.MISSING_FILE,
    Failure.UNSIGNED_FILE,
    Failure.NO_KEY,
}


class State(StrEnum):
    """What is known of a statement, or of all that there are."""

    VERIFIED = "verified"
    FAILED = "failed"
    NOT_CHECKED = "not checked"  # all else holds, but nobody's signature was checked


@dataclass(frozen=True)
class Stated:
    """What a statement says, as far as verifying needs it. `root` and all digests are `sha256:...`.

    `files` are the dossier's, by name. `beside` are the statements that were signed together with this one.
    """

    predicate_type: str
    root: str
    made_at: datetime
    valid_until: datetime
    supersedes: tuple[str, ...]
    files: Mapping[str, str]
    beside: tuple[str, ...]


@dataclass(frozen=True)
class Dossier:
    """What lies in a dossier's folder: digests of `BOUND_FILES` by name, and its subject's root digest (None: it cannot be told)."""

    files: Mapping[str, str]
    root: str | None


@dataclass(frozen=True)
class Judged:
    """What is known of one statement. `history`: a newer one that holds has taken its place, and it is kept for the record."""

    name: str
    digest: str | None = None
    signer: str | None = None
    stated: Stated | None = None
    problems: tuple[Problem, ...] = ()
    history: bool = False

    @property
    def state(self) -> State:
        """What is known of it, all problems together."""
        return _state(self.problems)


@dataclass(frozen=True)
class Report:
    """What is known of all. `problems` are those of the whole; each statement has its own."""

    state: State
    statements: tuple[Judged, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


Held = Signed | Problem
"""A signed payload, or why there is none in the file."""


def hold(data: bytes, keys: Sequence[PublicKey]) -> Held:
    """Return what an envelope file holds and whether one of `keys` signed it. Whatever it is, that is told, not raised."""
    try:
        return check_envelope(read_envelope(data), keys)
    except Refused as refused:
        return refused.problem


def verify_statement(
    name: str,
    held: Held,
    *,
    now: datetime,
    dossier: Dossier | None,
    model_root: str | None = None,
    others: Mapping[str, Held] | None = None,
) -> Report:
    """Return whether one statement holds at `now`. `others` may supersede it; they are not judged themselves.

    `dossier` None: the statement is away from its dossier, and only what it says itself is judged (a note says so).
    """
    opened = _open_all({**(others or {}), name: held})
    judged = _judge(name, opened[name], _Pool.of(opened, now), now, dossier, model_root)
    notes = (
        () if dossier is not None else ("the files of the dossier were not held against it: they are not beside it",)
    )
    return Report(judged.state, (judged,), (), notes)


def verify_dossier(
    held: Mapping[str, Held],
    *,
    now: datetime,
    dossier: Dossier,
    model_root: str | None = None,
    against: Mapping[str, Held] | None = None,
) -> Report:
    """Return whether every statement of a dossier holds at `now`, and there is one of the weighing itself.

    Statements that others among them have superseded are history: their signatures must hold, their time and files need not.
    """
    opened = _open_all(held)
    own = _Pool.of(opened, now)
    pool = _Pool.of({**_open_all(against or {}), **opened}, now)
    judged = []
    for name in sorted(held):
        each = _judge(name, opened[name], pool, now, dossier, model_root)
        past = (
            bool(each.digest and own.newer.get(each.digest)) and {one.failure for one in each.problems} <= _OF_THE_PAST
        )
        judged.append(Judged(each.name, each.digest, each.signer, each.stated, each.problems, past))
    current = [each for each in judged if not each.history]
    problems: tuple[Problem, ...] = ()
    if not any(each.stated is not None and each.stated.predicate_type == WEIGHING for each in current):
        told = (
            "there is no statement of the weighing"
            if not held
            else "no statement that is not of the past is of the weighing"
        )
        problems = (Problem(Failure.UNSIGNED, told),)
    # What is of the past lacks nothing but a signature that was checked.
    lacking = [one for each in judged if each.history for one in each.problems if one.failure.is_lack]
    state = _state([*problems, *lacking, *(one for each in current for one in each.problems)])
    return Report(state, tuple(judged), problems)


def read_statement(payload: bytes) -> Stated:
    """Return what a signed payload says. Raises `Refused`."""
    said = read_canonical(payload, "the statement")
    if not isinstance(said, dict) or said.get("_type") != STATEMENT_TYPE:
        raise Refused(Failure.NOT_A_STATEMENT, "the signed text is not an in-toto Statement v1")
    kind, subjects, predicate = said.get("predicateType"), said.get("subject"), said.get("predicate")
    if not isinstance(kind, str) or kind not in PREDICATES:
        raise Refused(Failure.UNKNOWN_PREDICATE, f"it states something of a kind not known here: {shown(str(kind))}")
    if not isinstance(subjects, list) or len(subjects) != 1 or not isinstance(subjects[0], dict):
        raise Refused(Failure.NOT_A_STATEMENT, "it is not about exactly one subject")
    digests = subjects[0].get("digest")
    root = f"sha256:{digests.get('sha256')}" if isinstance(digests, dict) else ""
    if not _DIGEST.fullmatch(root):
        raise Refused(Failure.NOT_A_STATEMENT, "its subject has no SHA-256")
    binding = predicate if kind == WEIGHING else predicate.get(WEIGHING) if isinstance(predicate, dict) else None
    if not isinstance(binding, dict):
        raise Refused(Failure.BROKEN_PREDICATE, "it does not say which dossier it is of")
    files, made_at, until = binding.get("files"), _time(binding, "made_at"), _time(binding, "valid_until")
    if not isinstance(files, dict) or not all(
        name in BOUND_FILES and isinstance(digest, str) and _DIGEST.fullmatch(digest) for name, digest in files.items()
    ):
        raise Refused(Failure.BROKEN_PREDICATE, "its files are not a dossier's files and their digests")
    if "dossier.json" not in files:
        raise Refused(Failure.BROKEN_PREDICATE, "it does not bind dossier.json")
    if until <= made_at:
        raise Refused(Failure.BROKEN_PREDICATE, "it ends before it begins")
    return Stated(
        predicate_type=kind,
        root=root,
        made_at=made_at,
        valid_until=until,
        supersedes=_digests(binding, "supersedes"),
        files=files,
        beside=_digests(binding, "beside"),
    )


def root_in(dossier_json: bytes) -> str | None:
    """Return the root digest, as OpenSSF Model Signing computes it, of the files that a `dossier.json` says its subject is.

    None when it cannot be told: no files (an endpoint), or not a dossier. For one file too it is SHA-256 over the raw digest.
    """
    try:
        files = json.loads(dossier_json)["candidate"]["components"]
        digests = {file["path"]: file["digest"] for part in files for file in part["files"]}
        if digests and all(isinstance(each, str) and _DIGEST.fullmatch(each) for each in digests.values()):
            return root_of(digests)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass
    return None


def last_of(digest: str, newer: Mapping[str, Sequence[str]]) -> str | None:
    """Return the statement at the end of the line that supersedes `digest`, None when none does.

    `newer` maps statements to those that supersede them, the latest last. Raises `Refused` when the line comes back to itself: digests
    of honest statements cannot, since a statement would have to name one that is made from its own name.

    >>> last_of("a", {"a": ["b"], "b": ["c"]}), last_of("c", {"a": ["b"]})
    ('c', None)
    """
    seen, current = {digest}, digest
    while newer.get(current):
        current = newer[current][-1]
        if current in seen:
            raise Refused(
                Failure.CYCLIC_SUPERSESSION, f"statements supersede one another in a circle, {current} among them"
            )
        seen.add(current)
    return current if current != digest else None


@dataclass(frozen=True)
class _Opened:
    """A file, and what it says: `held` None when it holds no payload, `stated` None when that is no statement; `problem` says why."""

    held: Signed | None
    stated: Stated | None
    problem: Problem | None


def _open_all(held: Mapping[str, Held]) -> dict[str, _Opened]:
    opened = {}
    for name, each in held.items():
        if isinstance(each, Problem):
            opened[name] = _Opened(None, None, each)
            continue
        try:
            opened[name] = _Opened(each, read_statement(each.payload), None)
        except Refused as refused:
            opened[name] = _Opened(each, None, refused.problem)
    return opened


@dataclass(frozen=True)
class _Pool:
    """Statements that are there: which supersede which (those with a good signature that are made by now), and file names."""

    newer: Mapping[str, Sequence[str]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, opened: Mapping[str, _Opened], now: datetime) -> _Pool:
        made: list[tuple[datetime, bool, str, tuple[str, ...]]] = []
        names: dict[str, str] = {}
        for name, each in opened.items():
            if each.held is None:
                continue
            names[each.held.digest] = name
            is_good = each.held.problem is None or each.held.problem.failure.is_lack
            if is_good and each.stated is not None and each.stated.made_at <= now + SKEW:
                # Of those made at once the weighing is last: it is the one to name.
                is_weighing = each.stated.predicate_type == WEIGHING
                made.append((each.stated.made_at, is_weighing, each.held.digest, each.stated.supersedes))
        newer: dict[str, list[str]] = {}
        for _, _, digest, older in sorted(made):
            for one in older:
                newer.setdefault(one, []).append(digest)
        return cls(newer, names)


def _judge(
    name: str, opened: _Opened, pool: _Pool, now: datetime, dossier: Dossier | None, model_root: str | None
) -> Judged:
    held, stated = opened.held, opened.stated
    problems = [each for each in (held.problem if held else None, opened.problem) if each is not None]
    if held is None:
        return Judged(name, problems=tuple(problems))
    if stated is None:
        return Judged(name, held.digest, held.signer, None, tuple(problems))
    problems += _of_time(stated, now)
    try:
        if (newest := last_of(held.digest, pool.newer)) is not None:
            where = f" in {shown(pool.names[newest], 200)}" if newest in pool.names else ""
            problems.append(Problem(Failure.SUPERSEDED, f"replaced by the statement {newest}{where}"))
    except Refused as refused:
        problems.append(refused.problem)
    if dossier is not None and (gone := [each for each in stated.beside if each not in pool.names]):
        problems.append(
            Problem(
                Failure.MISSING_STATEMENT, f"signed together with {gone[0]}, which is not here ({len(gone)} in all)"
            )
        )
    if dossier is not None:
        problems += _of_files(stated, dossier)
    if model_root is not None and model_root != stated.root:
        told = f"it is about a model with the root digest {stated.root}, and that one has {model_root}"
        problems.append(Problem(Failure.OTHER_MODEL, told))
    return Judged(name, held.digest, held.signer, stated, tuple(problems))


def _of_time(stated: Stated, now: datetime) -> list[Problem]:
    if stated.made_at > now + SKEW:
        return [Problem(Failure.NOT_YET_VALID, f"made at {stated.made_at:%Y-%m-%d %H:%M:%S} UTC, which is not yet")]
    if now >= stated.valid_until:
        return [Problem(Failure.EXPIRED, f"it held until {stated.valid_until:%Y-%m-%d %H:%M:%S} UTC")]
    return []


def _of_files(stated: Stated, dossier: Dossier) -> list[Problem]:
    problems = []
    if dossier.root is not None and dossier.root != stated.root:
        told = f"it is about {stated.root}, and the dossier beside it about {dossier.root}"
        problems.append(Problem(Failure.OTHER_SUBJECT, told))
    for name, digest in stated.files.items():
        if name not in dossier.files:
            problems.append(Problem(Failure.MISSING_FILE, f"{name} was signed and is not there"))
        elif dossier.files[name] != digest:
            problems.append(Problem(Failure.CHANGED_FILE, f"{name} is not as it was signed"))
    for name in dossier.files:
        if name not in stated.files:
            problems.append(Problem(Failure.UNSIGNED_FILE, f"{name} is there and was not signed"))
    return problems


def _state(problems: Sequence[Problem]) -> State:
    if any(not each.failure.is_lack for each in problems):
        return State.FAILED
    return State.NOT_CHECKED if problems else State.VERIFIED


def _digests(binding: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = binding.get(name)
    if (
        not isinstance(found, list)
        or len(found) > MAX_SUPERSEDED
        or not all(isinstance(each, str) and _DIGEST.fullmatch(each) for each in found)
    ):
        raise Refused(Failure.BROKEN_PREDICATE, f"its {name} is not a list of digests")
    return tuple(found)


def _time(binding: Mapping[str, Any], name: str) -> datetime:
    text = binding.get(name)
    try:
        if isinstance(text, str) and _TIME.fullmatch(text):
            return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)
    except ValueError:
        pass
    raise Refused(Failure.BROKEN_PREDICATE, f"its {name} is not a time in UTC")
