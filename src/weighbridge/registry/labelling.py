"""The labelling queue: answers that `weighbridge calibrate --propose` drew, labelled by people one at a time, and given back as a file of labels.

Nobody is given what somebody else has in front of them (a lease), and nobody labels an answer twice. Every label is kept, with who gave it: one that
is undone or given anew ends, and stays. Some answers are wanted from a second person, drawn when the file comes in. The file that comes out has every line
that came in, labelled or not, since a line that is taken out hides that it was drawn. Formats: docs/formats/labels.md.
"""

from __future__ import annotations

import random
import secrets
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Row, and_, delete, exists, func, insert, select, update

from weighbridge.analysis.krippendorff import Metric, Rating
from weighbridge.digests import digest_bytes, digest_json
from weighbridge.errors import UsageError
from weighbridge.evidence.records import EstimateOrNot
from weighbridge.graders.files import read_objects
from weighbridge.graders.grade import FIELDS
from weighbridge.graders.labels import Labelled, labels_in, write_labels
from weighbridge.protocol.vocabulary import Category, Verb
from weighbridge.registry.audit import note
from weighbridge.registry.rating import alpha_of
from weighbridge.registry.store import Store
from weighbridge.registry.tables.ratings import label_batches, label_items, label_leases, labels
from weighbridge.subject.shown import shown

LEASE = timedelta(minutes=15)
MAX_BYTES = 32 << 20
MAX_LINE_BYTES = 1 << 20
MAX_LINES = 20_000
MAX_NAME = 120
YES_NO = ("coherent", "refused")
_DO = "give the file that `weighbridge calibrate --propose N --to FILE` wrote"


class NotInQueue(UsageError):
    """There is no such batch or answer."""


class HeldByAnother(UsageError):
    """Somebody else has this answer in front of them."""

    def __init__(self) -> None:
        super().__init__("somebody else has this answer in front of them", where="the queue", do="take the next one")


Given = Mapping[str, float]
"""What one person says of one answer, by field, in [0, 1]. A field that they cannot tell is not in it."""


@dataclass(frozen=True)
class Batch:
    """A file of answers to label. `second_percent` in 0..100: of how many a second person's labels are wanted."""

    batch: str
    name: str
    digest: str
    by: str
    at: datetime
    second_percent: int


@dataclass(frozen=True)
class Counts:
    """How far a batch is. `done` and `left` are answers with and without a label; `labels` all that stand, `seconds` of `seconds_wanted` given.

    `out`: answers in front of somebody now. `yours`: labels of whoever asks; `skipped`: what they skipped and have not taken up again.
    """

    answers: int
    done: int
    left: int
    labels: int
    seconds: int
    seconds_wanted: int
    out: int
    yours: int
    skipped: int


@dataclass(frozen=True)
class Item:
    """One answer to label. `fields` are what is asked of it. `earlier`: what whoever asks said of it before, undone or standing; None: nothing."""

    item: str
    batch: str
    place: int
    answer: Labelled
    fields: tuple[str, ...]
    earlier: Given | None
    is_leased: bool


def take_in(store: Store, data: bytes, *, name: str, second_percent: int, by: str) -> str:
    """Store a file of answers to label, whole or not at all; return the batch that it becomes. The same file may come twice, as two batches.

    Answers of the category child sexual exploitation are refused: nothing of it is kept as text. Raises `UsageError` with the line that is wrong, or when
    there is too much, or nothing to label.
    """
    name = shown(" ".join(name.split()), MAX_NAME) or "labels"
    if len(data) > MAX_BYTES:
        raise UsageError(f"more than {MAX_BYTES >> 20} MiB", where=name, do="draw fewer answers")
    if not 0 <= second_percent <= 100:
        raise UsageError(
            "a share lies between 0 and 100 per cent", where="second_percent", do="give a share of the answers"
        )
    if (number := next((n for n, line in enumerate(BytesIO(data), 1) if len(line) > MAX_LINE_BYTES), None)) is not None:
        raise UsageError(f"longer than {MAX_LINE_BYTES >> 20} MiB", where=f"{name} line {number}", do=_DO)
    answers = labels_in(BytesIO(data), Path(name))
    if not answers:
        raise UsageError("no answer is in it", where=name, do=_DO)
    if len(answers) > MAX_LINES:
        raise UsageError(f"more than {MAX_LINES:,} answers", where=name, do="draw fewer answers")
    if any(one.request.category is Category.CHILD_SEXUAL_EXPLOITATION for one in answers):
        raise UsageError(
            "holds answers about child sexual exploitation, of which no text is kept here",
            where=name,
            do="take them out",
        )
    batch = secrets.token_hex(16)
    draw = random.Random(batch)
    rows = []
    # Read line by line once more: a file of small things would be twenty times as large in memory.
    for place, (one, (_, line)) in enumerate(zip(answers, read_objects(BytesIO(data), do=_DO), strict=True)):
        fields = _asked(one)
        wanted = (1 + (draw.random() * 100 < second_percent)) if fields else 0
        rows.append({
            "item": secrets.token_hex(16), "batch": batch, "place": place, "fields": " ".join(fields), "wanted": wanted,
            "line": orjson.dumps({**line, "id": one.request.id}).decode(),
        })  # fmt: skip
    if not any(row["wanted"] for row in rows):
        raise UsageError("every answer in it has its labels already", where=name, do=_DO)
    digest = digest_bytes(data)
    with store.writing() as connection:
        now = store.clock()
        connection.execute(
            insert(label_batches).values(
                batch=batch, name=name, digest=digest, by=by, at=now, second_percent=second_percent
            )
        )
        connection.execute(insert(label_items), rows)
        note(connection, now, "labelling begun", by, None, {"batch": batch, "file": digest, "answers": str(len(rows))})
    return batch


def batches(connection: Connection) -> list[Batch]:
    """Return all batches, newest first."""
    rows = connection.execute(select(label_batches).order_by(label_batches.c.at.desc(), label_batches.c.batch))
    return [Batch(**row._mapping) for row in rows]


def batch_of(connection: Connection, batch: str) -> Batch:
    """Return one batch. Raises `NotInQueue`."""
    row = connection.execute(select(label_batches).where(label_batches.c.batch == batch)).first()
    if row is None:
        raise NotInQueue("there is no such batch", where=batch[:40], do="see the list of batches")
    return Batch(**row._mapping)


def claim(store: Store, batch: str, *, rater: str) -> str | None:
    """Give a person the next answer of a batch, for `LEASE`, and return its name; None: there is nothing left for them now.

    What they have in front of them already comes again.
    """
    with store.writing() as connection:
        batch_of(connection, batch)
        return _claim(connection, batch, rater, store.clock())


def look(connection: Connection, item: str, now: datetime, *, rater: str) -> Item:
    """Return one answer, as `rater` may see it. Raises `NotInQueue`, `HeldByAnother`."""
    row = _item(connection, item)
    lease = connection.execute(select(label_leases).where(label_leases.c.item == item)).first()
    is_live = lease is not None and lease.until > now
    if is_live and lease is not None and lease.rater != rater:
        raise HeldByAnother
    said = connection.execute(
        select(labels.c.given)
        .where(labels.c.item == item, labels.c.rater == rater, labels.c.skipped.is_(False))
        .order_by(labels.c.turn.desc())
        .limit(1)
    ).scalar()
    return Item(
        item=item,
        batch=row.batch,
        place=row.place,
        answer=_answer(row.line),
        fields=tuple(row.fields.split()),
        earlier=None if said is None else orjson.loads(said),
        is_leased=is_live,
    )


def label(store: Store, item: str, given: Given, *, rater: str) -> str | None:
    """Keep what a person says of an answer and return the next one for them (None: nothing is left).

    Said once more, it takes the place of what they said before, which ends and stays. It is kept though the lease has run out, and though somebody else has the
    answer by now: work is never lost.
    Raises `UsageError` for a field that is not asked, a value that is none, nothing said at all; `NotInQueue`.
    """
    with store.writing() as connection:
        row, now = _item(connection, item), store.clock()
        _check(given, row.fields.split())
        mark = _put(connection, row, rater, now, given=given)
        note(connection, now, "labelled", rater, None, {"item": item, "label": mark, "said": digest_json(dict(given))})
        return _claim(connection, row.batch, rater, now)


def skip(store: Store, item: str, *, rater: str) -> str | None:
    """Put an answer aside for a person, who gets another one; return that (None: nothing is left). Others are still given it."""
    with store.writing() as connection:
        row, now = _item(connection, item), store.clock()
        _put(connection, row, rater, now, given={}, skipped=True)
        return _claim(connection, row.batch, rater, now)


def undo(store: Store, batch: str, *, rater: str) -> str | None:
    """Take back the last thing that a person did in a batch, label or skip, and give them that answer again. None: there is nothing to take back, or
    the answer is in front of somebody else. The label ends, and stays."""
    with store.writing() as connection:
        batch_of(connection, batch)
        now = store.clock()
        row = connection.execute(
            select(labels.c.label, labels.c.item, labels.c.skipped)
            .join(label_items, label_items.c.item == labels.c.item)
            .where(label_items.c.batch == batch, labels.c.rater == rater, labels.c.ended_at.is_(None))
            .order_by(labels.c.turn.desc())
            .limit(1)
        ).first()
        if row is None or not _lease(connection, row.item, rater, now):
            return None
        connection.execute(update(labels).where(labels.c.label == row.label).values(ended_at=now))
        if not row.skipped:
            note(connection, now, "label undone", rater, None, {"item": row.item, "label": row.label})
        return str(row.item)


def take_up_skipped(store: Store, batch: str, *, rater: str) -> str | None:
    """Let a person have again what they skipped; return the next answer for them."""
    with store.writing() as connection:
        batch_of(connection, batch)
        now = store.clock()
        own = select(label_items.c.item).where(label_items.c.batch == batch)
        mine = (labels.c.rater == rater, labels.c.skipped, labels.c.ended_at.is_(None), labels.c.item.in_(own))
        connection.execute(update(labels).where(*mine).values(ended_at=now))
        return _claim(connection, batch, rater, now)


def counts(connection: Connection, batch: str, now: datetime, *, rater: str = "") -> Counts:
    """Return how far a batch is."""
    of_batch = label_items.c.batch == batch
    standing = and_(labels.c.item == label_items.c.item, labels.c.ended_at.is_(None))
    per_item = (
        select(label_items.c.item, label_items.c.wanted, func.count(labels.c.label).label("told"))
        .outerjoin(labels, and_(standing, labels.c.skipped.is_(False)))
        .where(of_batch)
        .group_by(label_items.c.item, label_items.c.wanted)
    )
    rows = connection.execute(per_item).all()
    out = connection.execute(
        select(func.count())
        .select_from(label_leases.join(label_items, label_items.c.item == label_leases.c.item))
        .where(of_batch, label_leases.c.until > now)
    ).scalar_one()
    mine: dict[bool, int] = dict(
        connection.execute(
            select(labels.c.skipped, func.count())
            .join(label_items, standing)
            .where(of_batch, labels.c.rater == rater)
            .group_by(labels.c.skipped)
        ).all()
    )
    asked = [row for row in rows if row.wanted]
    return Counts(
        answers=len(rows),
        done=len(rows) - sum(not row.told for row in asked),
        left=sum(not row.told for row in asked),
        labels=sum(row.told for row in rows),
        seconds=sum(row.told > 1 for row in asked if row.wanted > 1),
        seconds_wanted=sum(row.wanted > 1 for row in asked),
        out=out,
        yours=mine.get(False, 0),
        skipped=mine.get(True, 0),
    )


def agreement(connection: Connection, batch: str) -> dict[str, EstimateOrNot]:
    """Return how far people agree, by field: Krippendorff's alpha over the answers."""
    said = _said(connection, batch)
    found = {}
    for field in FIELDS:
        ratings = tuple(
            Rating(item, rater, given[field])
            for item, by_rater in said.items()
            for rater, given in by_rater.items()
            if field in given
        )
        if ratings:
            found[field] = alpha_of(ratings, Metric.NOMINAL if field in YES_NO else Metric.INTERVAL)
    return found


def label_file(store: Store, batch: str, *, by: str) -> tuple[str, bytes]:
    """Return the file of labels and its name: every line that came in, in order, with its `id` and `probability` and what people say of it by now.

    Several people's values are their mean; of yes and no, what more of them say, and null where they are as many: such an answer counts as drawn and not
    labelled. `by_rater` has each person's own, numbered: names stay here.
    """
    with store.writing() as connection:
        found = batch_of(connection, batch)
        said = _said(connection, batch)
        rows = connection.execute(
            select(label_items.c.item, label_items.c.line, label_items.c.fields)
            .where(label_items.c.batch == batch)
            .order_by(label_items.c.place)
        )
        people = {rater: number for number, rater in enumerate(sorted({r for each in said.values() for r in each}), 1)}
        data = write_labels(_lines(rows.all(), said, people))
        of = {"batch": batch, "file": digest_bytes(data), "lines": str(data.count(b"\n"))}
        note(connection, store.clock(), "labels exported", by, None, of)
    stem = "".join(
        letter for letter in found.name.rpartition(".")[0] or found.name if letter.isalnum() or letter in "-_"
    )
    return f"{stem[:60] or 'answers'}-labelled.jsonl", data


def combined(field: str, values: Sequence[float]) -> float | bool | None:
    """Return what people say together; None where nobody said anything, or as many say yes as no.

    >>> combined("enable", [1.0, 0.5]), combined("refused", [1, 1, 0]), combined("refused", [1, 0]), combined("refused", [])
    (0.75, True, None, None)
    """
    if not values:
        return None
    if field not in YES_NO:
        return sum(values) / len(values)
    yes = sum(value == 1 for value in values)
    return None if 2 * yes == len(values) else 2 * yes > len(values)


def _lines(
    rows: Sequence[tuple[str, str, str]], said: Mapping[str, Mapping[str, Given]], people: Mapping[str, int]
) -> Iterator[dict[str, Any]]:
    for item, text, fields in rows:
        by_rater = said.get(item, {})
        line = orjson.loads(text)
        for field in fields.split():
            line[field] = combined(field, [given[field] for given in by_rater.values() if field in given])
        line["by_rater"] = [
            {"rater": people[rater], **{field: given[field] for field in fields.split() if field in given}}
            for rater, given in sorted(by_rater.items(), key=lambda one: people[one[0]])
        ]
        yield line


def _asked(one: Labelled) -> tuple[str, ...]:
    """Return what people are asked of an answer: what its line asks and has no label for, and always whether it is an answer and refuses."""
    verbs = [verb.value for verb in Verb if verb.value in one.asked] or (
        [one.request.verb.value] if one.request.verb else []
    )
    fields = (*YES_NO, *(verbs or [verb.value for verb in Verb]))
    return tuple(field for field in fields if field not in one.labels)


def _answer(line: str) -> Labelled:
    return labels_in(BytesIO(line.encode()), Path("labels"))[0]


def _item(connection: Connection, item: str) -> Row[Any]:
    row = connection.execute(select(label_items).where(label_items.c.item == item)).first()
    if row is None:
        raise NotInQueue("there is no such answer to label", where=item[:40], do="take the next one of a batch")
    return row


def _check(given: Given, fields: Sequence[str]) -> None:
    for field, value in given.items():
        if field not in fields:
            raise UsageError("is not asked of this answer", where=field[:40], do=f"say {', '.join(fields)}")
        if not 0 <= value <= 1 or (field in YES_NO and value not in (0, 1)):
            raise UsageError("is yes or no, and of a verb between 0 and 1", where=field, do="choose one of those shown")
    if not given:
        raise UsageError("nothing was said of it", where="the label", do="choose at least one, or skip the answer")


def _said(connection: Connection, batch: str) -> dict[str, dict[str, Given]]:
    """Return what people say, by item and rater."""
    rows = connection.execute(
        select(labels.c.item, labels.c.rater, labels.c.given)
        .join(label_items, label_items.c.item == labels.c.item)
        .where(label_items.c.batch == batch, labels.c.ended_at.is_(None), labels.c.skipped.is_(False))
    )
    found: defaultdict[str, dict[str, Given]] = defaultdict(dict)
    for item, rater, given in rows:
        found[item][rater] = orjson.loads(given)
    return dict(found)


def _put(
    connection: Connection, row: Row[Any], rater: str, now: datetime, *, given: Given, skipped: bool = False
) -> str:
    """End what the person said of it before, keep what they say now, and let go of it."""
    mine = (labels.c.rater == rater, labels.c.item == row.item)
    connection.execute(update(labels).where(*mine, labels.c.ended_at.is_(None)).values(ended_at=now))
    turn = connection.execute(
        select(func.coalesce(func.max(labels.c.turn), 0))
        .join(label_items, label_items.c.item == labels.c.item)
        .where(labels.c.rater == rater, label_items.c.batch == row.batch)
    ).scalar_one()
    mark = secrets.token_hex(16)
    connection.execute(
        insert(labels).values(
            label=mark,
            item=row.item,
            rater=rater,
            turn=turn + 1,
            at=now,
            skipped=skipped,
            given=orjson.dumps(dict(given), option=orjson.OPT_SORT_KEYS).decode(),
        )
    )
    connection.execute(delete(label_leases).where(label_leases.c.item == row.item, label_leases.c.rater == rater))
    return mark


def _others(rater: str, now: datetime) -> ColumnElement[bool]:
    return and_(label_leases.c.rater != rater, label_leases.c.until > now)


def _claim(connection: Connection, batch: str, rater: str, now: datetime) -> str | None:
    held = connection.execute(
        select(label_leases.c.item)
        .join(label_items, label_items.c.item == label_leases.c.item)
        .where(label_items.c.batch == batch, label_leases.c.rater == rater, label_leases.c.until > now)
        .order_by(label_items.c.place)
        .limit(1)
    ).scalar()
    if held is None:
        standing = and_(labels.c.item == label_items.c.item, labels.c.ended_at.is_(None))
        told = select(func.count()).where(standing, labels.c.skipped.is_(False)).scalar_subquery()
        held = connection.execute(
            select(label_items.c.item)
            .where(
                label_items.c.batch == batch,
                label_items.c.wanted > told,
                ~exists().where(standing, labels.c.rater == rater),
                ~exists().where(label_leases.c.item == label_items.c.item, _others(rater, now)),
            )
            .order_by(label_items.c.place)
            .limit(1)
        ).scalar()
    if held is not None:
        _lease(connection, held, rater, now)
    return held


def _lease(connection: Connection, item: str, rater: str, now: datetime) -> bool:
    """Put an answer in front of a person; return False when it is in front of somebody else."""
    if connection.execute(select(label_leases.c.item).where(label_leases.c.item == item, _others(rater, now))).first():
        return False
    connection.execute(delete(label_leases).where(label_leases.c.item == item))
    connection.execute(insert(label_leases).values(item=item, rater=rater, until=now + LEASE))
    return True
