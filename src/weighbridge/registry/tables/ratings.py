"""Second ratings and the labelling queue.

A label is never changed or deleted: it ends (`ended_at`), undone or replaced by a later one of the same person. A lease says who has an item in
front of them, so that nobody else is given it.
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
