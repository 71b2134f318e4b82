"""Who wrote, which ticket, may they: keys, copies of one's own, holds, merges, dead addresses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add what is new; mails that were queued before keep the Message-ID they have."""
    add_columns()
    loosen_outbox()
    fill_copies()
    create_indexes()
    create_tables()


def add_columns() -> None:
    """Columns of existing tables. SQLite takes a reference only within ADD COLUMN."""
    op.add_column("people", sa.Column("proven", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "tickets",
        sa.Column("domain", sa.String(length=255), server_default="", nullable=False),
    )
    number = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    op.execute(
        f"ALTER TABLE tickets ADD COLUMN merged_into {number}"
        " CONSTRAINT fk_tickets_merged_into REFERENCES tickets (number)"
    )
    op.add_column(
        "outbox_recipients",
        sa.Column("message_id", sa.String(length=300), server_default="", nullable=False),
    )
    op.add_column(
        "outbox_recipients", sa.Column("mail_from", sa.Text(), server_default="", nullable=False)
    )
    op.add_column("outbox_recipients", sa.Column("number", sa.BigInteger(), nullable=True))


def loosen_outbox() -> None:
    """An alert belongs to no ticket. SQLite has to copy the table for that.

    `store.migrations.env` has switched off what would keep the old table from being dropped
    while others refer to it; here we look whether they all still do.
    """
    with op.batch_alter_table("outbox") as batch:
        batch.alter_column("ticket", existing_type=Id, nullable=True)
    if op.get_bind().dialect.name == "sqlite":
        broken = op.get_bind().exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise RuntimeError(f"rows refer to nothing: {broken[:3]}")


def fill_copies() -> None:
    """Each copy's envelope sender; the Message-ID goes to the first copy, all others share it."""
    op.execute(
        "UPDATE outbox_recipients SET mail_from ="
        " (SELECT o.mail_from FROM outbox o WHERE o.id = outbox_recipients.outbox)"
    )
    op.execute(
        "UPDATE outbox_recipients SET message_id ="
        " (SELECT o.message_id FROM outbox o WHERE o.id = outbox_recipients.outbox)"
        " WHERE id IN (SELECT min(id) FROM outbox_recipients GROUP BY outbox)"
    )


def create_indexes() -> None:
    """Indexes on the new columns, and those that mail and floods are counted with."""
    op.create_index(
        "ix_outbox_recipients_to_people",
        "outbox_recipients",
        ["queued", "outbox"],
        unique=False,
        sqlite_where=sa.text("role <> 'agent'"),
        postgresql_where=sa.text("role <> 'agent'"),
    )
    op.create_index(op.f("ix_tags_tag_ticket"), "tags", ["tag", "ticket"], unique=False)
    op.drop_index(op.f("ix_messages_ticket"), table_name="messages")
    op.create_index(op.f("ix_messages_ticket_at"), "messages", ["ticket", "at"], unique=False)
    op.create_index(op.f("ix_tickets_merged_into"), "tickets", ["merged_into"], unique=False)
    op.create_index(
        op.f("ix_tickets_requester_created"), "tickets", ["requester", "created"], unique=False
    )
    op.create_index(
        op.f("ix_tickets_domain_created"), "tickets", ["domain", "created"], unique=False
    )
    op.create_index(
        "ix_outbox_recipients_message_id",
        "outbox_recipients",
        ["message_id"],
        unique=True,
        sqlite_where=sa.text("message_id <> ''"),
        postgresql_where=sa.text("message_id <> ''"),
    )
    op.create_index(
        op.f("ix_outbox_recipients_number"), "outbox_recipients", ["number"], unique=True
    )


def create_tables() -> None:
    """New tables and their indexes."""
    op.create_table(
        "keys",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired", sa.DateTime(timezone=True), nullable=True),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("id BETWEEN 1 AND 255", name=op.f("ck_keys_id_fits_an_octet")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
    )
    op.create_table(
        "generations",
        sa.Column("ticket", Id, nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.number"], name=op.f("fk_generations_ticket")),
        sa.PrimaryKeyConstraint("ticket", "address", name=op.f("pk_generations")),
    )
    op.create_table(
        "held",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("ticket", Id, nullable=False),
        sa.Column("message", Id, nullable=False),
        sa.Column("inbox", Id, nullable=False),
        sa.Column("author", sa.Text(), server_default="", nullable=False),
        sa.Column("owner", sa.Text(), server_default="", nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=20), server_default="waiting", nullable=False),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["inbox"], ["inbox.id"], name=op.f("fk_held_inbox")),
        sa.ForeignKeyConstraint(["message"], ["messages.id"], name=op.f("fk_held_message")),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.number"], name=op.f("fk_held_ticket")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_held")),
        sa.UniqueConstraint("message", name=op.f("uq_held_message")),
    )
    op.create_index(op.f("ix_held_ticket"), "held", ["ticket"], unique=False)
    op.create_index(op.f("ix_held_owner_created"), "held", ["owner", "created"], unique=False)
    op.create_index(
        "ix_held_waiting",
        "held",
        ["expires"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "undeliverable",
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("previous", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_undeliverable")),
    )
    op.create_table(
        "marks",
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_marks")),
    )
