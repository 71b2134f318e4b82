"""The duty list: which mail a number stands for, who vouched for a mail, whose mail is ignored."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON().with_variant(JSONB(), "postgresql")
Time = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add columns to the inbox, and three tables."""
    op.add_column("inbox", sa.Column("vouched_by", sa.Text(), server_default="", nullable=False))
    number = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    op.execute(
        f"ALTER TABLE inbox ADD COLUMN vouched_for {number}"
        " CONSTRAINT fk_inbox_vouched_for REFERENCES tickets (number)"
    )
    create_lists()
    op.create_table(
        "blocked",
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("by", sa.Text(), server_default="", nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_blocked")),
    )


def create_lists() -> None:
    """Lists, and the mails on them."""
    op.create_table(
        "duty_lists",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("agent", sa.String(length=320), nullable=False),
        sa.Column("parent", Id, nullable=True),
        sa.Column("orders", Json, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("created", Time, nullable=False),
        sa.Column("expires", Time, nullable=False),
        sa.Column("settled", Time, nullable=True),
        sa.ForeignKeyConstraint(["parent"], ["duty_lists.id"], name=op.f("fk_duty_lists_parent")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duty_lists")),
    )
    op.create_index(op.f("ix_duty_lists_parent"), "duty_lists", ["parent"], unique=False)
    op.create_table(
        "duty_items",
        sa.Column("list", Id, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("inbox", Id, nullable=False),
        sa.Column("held", Id, nullable=True),
        sa.Column("sender", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["list"], ["duty_lists.id"], name=op.f("fk_duty_items_list")),
        sa.ForeignKeyConstraint(["inbox"], ["inbox.id"], name=op.f("fk_duty_items_inbox")),
        sa.ForeignKeyConstraint(["held"], ["held.id"], name=op.f("fk_duty_items_held")),
        sa.PrimaryKeyConstraint("list", "number", name=op.f("pk_duty_items")),
    )
