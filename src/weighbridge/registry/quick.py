"""A digest's notice as bytes, at little more than the price of an answer that never changes.

What `notice_of(...).model_dump_json(by_alias=True)` gives, byte for byte: one question instead of seven, and the facts go in as they were stored, for
publishing wrote them with the same serializer. Where this short way does not fit (many entries, facts of another form) the long one is taken.

`Notices` keeps what it rendered. Every change of what a notice says is an entry in the audit log, so what is kept is good for as long as the log ends with
the same entry, and until the next publication expires. The log's end is read anew for every look-up: nothing stale is ever given, whoever wrote.
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from pydantic_core import to_json

from weighbridge.digests import digest_bytes
from weighbridge.registry.closed import NO_DIGEST
from weighbridge.registry.lookup import notice_of
from weighbridge.registry.notices import NOTICE_SCHEMA, Answer, Counted, Match, Reply, Revoked, standing, summary
from weighbridge.registry.store import Driver, Store

MOST_ENTRIES = 50  # more take the long way
KEPT_BYTES = 64 << 20

# Facts begin with the label, the benchmark and the grader, whose fields are fixed: the first such key is the top one's, for within a text every quotation
# mark has a backslash before it. Nothing else in these facts is looked at.
_DECIDING = re.compile(r',"weighed_at":"[^"]*","answer":"([^"]*)","contrast":"([^"]*)","comparisons":\[')
_WEIGHT_FILES = ',"weight_files":'  # the last field
_ANSWERS = {each.value: each for each in Answer}
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)

_AT = b',"at":'

_HEAD = "SELECT line FROM audit ORDER BY number DESC LIMIT 1"
_KNOWN = "(SELECT count(*) FROM audit WHERE subject = {subject} AND kind IN ('published', 'verified'))"
_COLUMNS = (
    "p.envelope, p.statement, p.dossier, p.root, p.provider, p.name, p.signer, p.signer_known,"  # noqa: S608
    " p.made_at, p.valid_until,"
    ' p.published_at, p.facts, r."by", r.reason, r.at,'
    " (SELECT {all}(s.newer) FROM supersessions s WHERE s.older = p.statement AND s.signer = p.signer){text},"
    ' (SELECT {all}({one}(a.at, a.digest, a."by", a.text)) FROM answers a WHERE a.envelope = p.envelope){text},'
    " CASE WHEN p.root <> {asked} THEN " + _KNOWN.format(subject="p.root") + " END"
)
_OF_FILE = "SELECT envelope FROM weights WHERE digest = {asked}"
_REVOKED = "LEFT JOIN revocations r ON r.envelope = p.envelope"
_MOST = f"LIMIT {MOST_ENTRIES + 1}"

# Each part is written here; what is asked goes in as a value. The two databases find the rows by their indexes in different wordings.
_KNOWN_IN_SQLITE = f"SELECT {_KNOWN.format(subject='?1')}"
_SQLITE = f"""
    {_KNOWN_IN_SQLITE}, {_COLUMNS.format(all="json_group_array", one="json_array", text="", asked="?1")}
    FROM publications p {_REVOKED} WHERE p.root = ?1 OR p.envelope IN ({_OF_FILE.format(asked="?1")}) {_MOST}
"""
_POSTGRES = f"""
    SELECT h.line, d.asked, {_KNOWN.format(subject="d.asked")}, p.*
    FROM (SELECT ({_HEAD}) AS line) h LEFT JOIN (
        unnest(%s::text[]) AS d(asked)
        LEFT JOIN LATERAL (
            SELECT {_COLUMNS.format(all="json_agg", one="json_build_array", text="::text", asked="d.asked")}
            FROM (SELECT envelope FROM publications WHERE root = d.asked UNION {_OF_FILE.format(asked="d.asked")}) f
            JOIN publications p ON p.envelope = f.envelope {_REVOKED} {_MOST}
        ) p ON true
    ) ON true
"""  # noqa: S608

Row = Sequence[Any]


@dataclass(frozen=True)
class Rendered:
    """A notice but for its time, which stands between `before` and `after`. It says the same from `since` on and before `until`."""

    before: bytes
    after: bytes
    since: datetime
    until: datetime

    def at(self, at: datetime) -> bytes:
        """Return the notice at a time."""
        return b"".join((self.before, to_json(at), self.after))

    @cached_property
    def tag(self) -> str:
        """32 hexadecimal digits that name what it says, whenever it is asked for."""
        return digest_bytes(self.before.removesuffix(_AT) + self.after)[7:39]

    def holds(self, at: datetime) -> bool:
        """Return whether it says the same at a time."""
        return self.since <= at < self.until


def notice_json(store: Store, digest: str, at: datetime) -> bytes:
    """Return `notice_of(connection, digest, at).model_dump_json(by_alias=True)` as bytes. Raises `RegistryError`.

    `digest`: whole, `sha256:...`. `at` has a zone.
    """
    with store.driver() as driver:
        return Notices(store, most_bytes=0).several(driver, [digest], at)[0].at(at)


class Notices:
    """Notices of one registry, of which it keeps some. For several threads."""

    def __init__(self, store: Store, *, most_bytes: int = KEPT_BYTES) -> None:
        self._store, self._most = store, most_bytes
        self._lock = threading.Lock()
        self._head: str | None = None  # where the log ended when what is kept was rendered
        self._kept: OrderedDict[str, Rendered] = OrderedDict()
        self._size = 0

    def several(self, driver: Driver, digests: Sequence[str], at: datetime) -> list[Rendered]:
        """Return the notice of each digest, each as it was at some moment after this was called.

        `driver` is of this registry. Raises what the driver does, and `RegistryError`.
        """
        found: dict[str, Rendered] = {}
        likely = self._likely(digests, at)
        while wanted := {*digests} - {*found}:
            head, rows = _ask(driver, list(wanted - likely))
            found |= self._still(head, likely, at)
            fresh = {digest: _rendered(digest, known, of, at) for digest, (known, of) in rows.items()}
            long = [digest for digest, short in fresh.items() if short is None]
            # Read after the log's end was: what is kept with it is never older than it.
            fresh |= {digest: _the_long_way(self._store, digest, at) for digest in long}
            made = {digest: each for digest, each in fresh.items() if each is not None}
            self._keep(head, made)
            found |= made
            likely = set()
        return [found[digest] for digest in digests]

    def _likely(self, digests: Sequence[str], at: datetime) -> set[str]:
        with self._lock:
            return {each for each in digests if (kept := self._kept.get(each)) is not None and kept.holds(at)}

    def _still(self, head: str | None, digests: set[str], at: datetime) -> dict[str, Rendered]:
        """Return what is kept of `digests`, when the log still ends with `head`."""
        found: dict[str, Rendered] = {}
        with self._lock:
            if head is None or head != self._head:
                return found
            for digest in digests:
                if (kept := self._kept.get(digest)) is not None and kept.holds(at):
                    self._kept.move_to_end(digest)
                    found[digest] = kept
        return found

    def _keep(self, head: str | None, made: dict[str, Rendered]) -> None:
        with self._lock:
            if head != self._head:
                self._head, self._size = head, 0
                self._kept.clear()
            if head is None:
                return
            for digest, each in made.items():
                if digest not in self._kept:
                    self._size += _cost(each)
                    self._kept[digest] = each
            while self._size > self._most:
                self._size -= _cost(self._kept.popitem(last=False)[1])


def _cost(kept: Rendered) -> int:
    return len(kept.before) + len(kept.after) + 500


def _ask(driver: Driver, digests: Sequence[str]) -> tuple[str | None, dict[str, tuple[int, list[Row]]]]:
    """Return how the log ends and, for each digest, how many results the log knows of and the rows, all of one moment."""
    found: dict[str, tuple[int, list[Row]]] = {}
    if driver.is_postgresql:
        answered = driver.fetch(_POSTGRES, (list(digests),))
        for _, digest, known, *row in answered:
            if digest is not None:
                of = found.setdefault(digest, (known, []))[1]
                if row[0] is not None:
                    of.append(row)
        return answered[0][0], found
    with driver.at_one_moment():
        line = driver.fetch(_HEAD, ())
        for digest in digests:
            rows = driver.fetch(_SQLITE, (digest,))
            known = rows[0][0] if rows else driver.fetch(_KNOWN_IN_SQLITE, (digest,))[0][0]
            found[digest] = known, [row[1:] for row in rows]
    return (line[0][0] if line else None), found


def _rendered(digest: str, known: int, rows: Sequence[Row], at: datetime) -> Rendered | None:
    """Return the notice of a digest, None when it must be made the long way."""
    if len(rows) > MOST_ENTRIES:
        return None
    counted, parts = [], []
    since, until = _FIRST, _LAST
    roots = {digest: known}
    for row in sorted(rows, key=_newest, reverse=True):  # a join need not keep the order
        (
            publication, statement, dossier, root, provider, name, signer, signer_known, made_at, valid_until, published_at, facts,
            by, reason, revoked_at, newer, replies, known_of_root,
        ) = row  # fmt: skip
        deciding, files = _DECIDING.search(facts), facts[facts.rfind(_WEIGHT_FILES) + len(_WEIGHT_FILES) :]
        if deciding is None or deciding[1] not in _ANSWERS or not files[:-1].isdigit():
            return None
        match = Match.EXACT if digest == root or files == "1}" else Match.PART
        if match is Match.EXACT and known_of_root is not None:
            roots[root] = known_of_root
        ends = datetime.fromisoformat(valid_until)
        since, until = (max(since, ends), until) if at >= ends else (since, min(until, ends))
        superseded_by = sorted({*json.loads(newer)}) if signer_known and newer and newer != "[]" else []
        stands = standing(revoked_at is not None, bool(superseded_by), at >= ends)
        counted.append(Counted(bool(signer_known), match, stands, _ANSWERS[deciding[1]], deciding[2]))
        revoked = "null" if revoked_at is None else Revoked(by=by, reason=reason, at=revoked_at).model_dump_json()
        parts.append(
            f'{{"publication":"{publication}","statement":"{statement}","dossier":"{dossier}","root":"{root or NO_DIGEST}"'
            f',"provider":{_text(provider)},"name":{_text(name)},"match":"{match.value}","signer":{_text(signer)}'
            f',"signer_known":{"true" if signer_known else "false"},"made_at":{_time(made_at)},"valid_until":{_time(valid_until)}'
            f',"published_at":{_time(published_at)},"superseded_by":{_text(superseded_by) if superseded_by else "[]"},"revoked":{revoked}'
            f',"answers":[{_replies(replies)}],"facts":{facts},"stands":"{stands.value}"}}'
        )
    answer, because, lacking = summary(counted, sum(roots.values()))
    after = f',"answer":"{answer.value}","because":{_text(because)},"entries":[{",".join(parts)}],"lacking":{lacking}}}'
    return Rendered(_before(digest), after.encode(), since, until)


def _newest(row: Row) -> tuple[str, str, str]:
    return row[8], row[10], row[0]  # made_at, published_at, envelope


def _the_long_way(store: Store, digest: str, at: datetime) -> Rendered:
    with store.reading() as connection:
        said = notice_of(connection, digest, at)
    ends = [each.valid_until for each in said.entries]
    before = _before(digest)
    after = said.model_dump_json(by_alias=True).encode()[len(before) + len(to_json(at)) :]
    return Rendered(
        before,
        after,
        max((each for each in ends if at >= each), default=_FIRST),
        min((each for each in ends if at < each), default=_LAST),
    )


def _before(digest: str) -> bytes:
    return f'{{"schema":"{NOTICE_SCHEMA}","asked":{_text(digest)}'.encode() + _AT


def _replies(found: str | None) -> str:
    if not found or found == "[]":
        return ""
    replies = sorted(json.loads(found))  # by time, then digest
    return ",".join(Reply(by=by, text=text, at=at).model_dump_json() for at, _, by, text in replies)


def _text(value: object) -> str:
    return "null" if value is None else to_json(value).decode()


def _time(stored: str) -> str:
    """Return a stored time as a record writes it: parts of a second only when there are any."""
    return f'"{stored[:19]}Z"' if stored[19:] == ".000000Z" else f'"{stored}"'
