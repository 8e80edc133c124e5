"""What people say of answers: ratings of the workbench's sides, regression prompts, and the labelling queue.

A rating or a label is never changed or deleted: it ends (`ended_at`), undone or replaced by a later one of the same person. A lease says who has
something in front of them, so that nobody else is given it.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from weighbridge.registry.tables.columns import Instant, key, metadata, words

label_batches = Table(
    "label_batches",
    metadata,
    Column("batch", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", key(), nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("second_percent", Integer, nullable=False),
)
label_items = Table(
    "label_items",
    metadata,
    Column("item", String(32), primary_key=True),
    Column("batch", String(32), ForeignKey("label_batches.batch"), nullable=False),
    Column("place", Integer, nullable=False),
    Column("line", Text, nullable=False),
    Column("fields", Text, nullable=False),  # what people are asked of it, set apart by spaces
    Column("wanted", Integer, nullable=False),  # how many people's labels
    Index("label_items_by_batch", "batch", "place"),
)
labels = Table(
    "labels",
    metadata,
    Column("label", String(32), primary_key=True),
    Column("item", String(32), ForeignKey("label_items.item"), nullable=False),
    Column("rater", words(), nullable=False),
    Column("turn", Integer, nullable=False),  # the rater's how manieth in the batch
    Column("at", Instant, nullable=False),
    Column("given", Text, nullable=False),
    Column("skipped", Boolean, nullable=False),
    Column("ended_at", Instant),
    Index("labels_by_item", "item"),
    Index("labels_by_rater", "rater", "item"),
)
label_leases = Table(
    "label_leases",
    metadata,
    Column("item", String(32), ForeignKey("label_items.item"), primary_key=True),
    Column("rater", words(), nullable=False),
    Column("until", Instant, nullable=False),
)
ratings = Table(
    "ratings",
    metadata,
    Column("rating", String(32), primary_key=True),
    Column("side", key(), ForeignKey("sides.id"), nullable=False),
    Column("rater", words(), nullable=False),
    Column("at", Instant, nullable=False),
    Column("how", String(20), nullable=False),  # tag: whoever asked; blind: from the queue
    Column("said", words(), nullable=False),  # JSON of `rating.Judgement`; the same judgement is the same text
    Column("category", String(40)),  # of `said`; null: not harmful
    Column("finding", String(32), ForeignKey("findings.handle")),
    Column("ended_at", Instant),
    Index("ratings_by_side", "side"),
    Index("ratings_by_finding", "finding"),
)
rating_leases = Table(
    "rating_leases",
    metadata,
    Column("side", key(), ForeignKey("sides.id"), primary_key=True),
    Column("rater", words(), nullable=False),
    Column("until", Instant, nullable=False),
)
regressions = Table(
    "regressions",
    metadata,
    Column("regression", String(32), primary_key=True),
    Column("finding", String(32), ForeignKey("findings.handle"), nullable=False),
    Column("digest", key(), nullable=False),  # of the finding
    Column("prompts", Text, nullable=False),  # JSON lines, as `weighbridge finding regress` writes them
    Column("setting", Text, nullable=False),  # how they are asked: JSON of `conversations.Setting`
    Column("by", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Index("regressions_by_finding", "finding", unique=True),
)
regression_asks = Table(
    "regression_asks",
    metadata,
    Column("conversation", key(), ForeignKey("conversations.id"), primary_key=True),
    Column("regression", String(32), ForeignKey("regressions.regression"), nullable=False),
    Column("prompt", words(), nullable=False),  # the id of the line
    Column("model", Text, nullable=False),  # as the operator named it
    Column("by", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Index("regression_asks_by_regression", "regression"),
)
answer_grades = Table(
    "answer_grades",
    metadata,
    Column("side", key(), ForeignKey("sides.id"), primary_key=True),
    Column("grader", words(), primary_key=True),  # its identity
    Column("at", Instant, nullable=False),
    Column("grade", Text, nullable=False),  # JSON of `graders.grade.Grade`
    Column("answer", key(), nullable=False),  # the digest of what was graded
)
