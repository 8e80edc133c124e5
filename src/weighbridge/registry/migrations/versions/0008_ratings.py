"""What people say of answers: ratings, regression prompts, and the labelling queue."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the tables."""
    key = sa.String(71).with_variant(sa.String(71, collation="C"), "postgresql")
    words = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    instant = sa.String(27)
    op.create_table(
        "label_batches",
        sa.Column("batch", sa.String(32), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", key, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", instant, nullable=False),
        sa.Column("second_percent", sa.Integer, nullable=False),
    )
    op.create_table(
        "label_items",
        sa.Column("item", sa.String(32), primary_key=True),
        sa.Column("batch", sa.String(32), sa.ForeignKey("label_batches.batch"), nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("line", sa.Text, nullable=False),
        sa.Column("fields", sa.Text, nullable=False),
        sa.Column("wanted", sa.Integer, nullable=False),
    )
    op.create_index("label_items_by_batch", "label_items", ["batch", "place"])
    op.create_table(
        "labels",
        sa.Column("label", sa.String(32), primary_key=True),
        sa.Column("item", sa.String(32), sa.ForeignKey("label_items.item"), nullable=False),
        sa.Column("rater", words, nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("at", instant, nullable=False),
        sa.Column("given", sa.Text, nullable=False),
        sa.Column("skipped", sa.Boolean, nullable=False),
        sa.Column("ended_at", instant),
    )
    op.create_index("labels_by_item", "labels", ["item"])
    op.create_index("labels_by_rater", "labels", ["rater", "item"])
    op.create_table(
        "label_leases",
        sa.Column("item", sa.String(32), sa.ForeignKey("label_items.item"), primary_key=True),
        sa.Column("rater", words, nullable=False),
        sa.Column("until", instant, nullable=False),
    )
    op.create_table(
        "ratings",
        sa.Column("rating", sa.String(32), primary_key=True),
        sa.Column("side", key, sa.ForeignKey("sides.id"), nullable=False),
        sa.Column("rater", words, nullable=False),
        sa.Column("at", instant, nullable=False),
        sa.Column("how", sa.String(20), nullable=False),
        sa.Column("said", words, nullable=False),
        sa.Column("category", sa.String(40)),
        sa.Column("finding", sa.String(32), sa.ForeignKey("findings.handle")),
        sa.Column("ended_at", instant),
    )
    op.create_index("ratings_by_side", "ratings", ["side"])
    op.create_index("ratings_by_finding", "ratings", ["finding"])
    op.create_table(
        "rating_leases",
        sa.Column("side", key, sa.ForeignKey("sides.id"), primary_key=True),
        sa.Column("rater", words, nullable=False),
        sa.Column("until", instant, nullable=False),
    )
    op.create_table(
        "regressions",
        sa.Column("regression", sa.String(32), primary_key=True),
        sa.Column("finding", sa.String(32), sa.ForeignKey("findings.handle"), nullable=False),
        sa.Column("digest", key, nullable=False),
        sa.Column("prompts", sa.Text, nullable=False),
        sa.Column("setting", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", instant, nullable=False),
    )
    op.create_index("regressions_by_finding", "regressions", ["finding"], unique=True)
    op.create_table(
        "regression_asks",
        sa.Column("conversation", key, sa.ForeignKey("conversations.id"), primary_key=True),
        sa.Column("regression", sa.String(32), sa.ForeignKey("regressions.regression"), nullable=False),
        sa.Column("prompt", words, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", instant, nullable=False),
    )
    op.create_index("regression_asks_by_regression", "regression_asks", ["regression"])
    op.create_table(
        "answer_grades",
        sa.Column("side", key, sa.ForeignKey("sides.id"), primary_key=True),
        sa.Column("grader", words, primary_key=True),
        sa.Column("at", instant, nullable=False),
        sa.Column("grade", sa.Text, nullable=False),
        sa.Column("answer", key, nullable=False),
    )
