"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
FIRST_TICKET = 1001


def upgrade() -> None:
    """Make all tables; the audit trail refuses UPDATE and DELETE."""
    create_tables()
    if op.get_bind().dialect.name == "sqlite":
        # AUTOINCREMENT counts on from here.
        op.execute(
            f"INSERT INTO sqlite_sequence (name, seq) VALUES ('tickets', {FIRST_TICKET - 1})"
        )
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER events_no_{verb.lower()} BEFORE {verb} ON events "
                "BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
            )
    else:
        op.execute(
            "CREATE FUNCTION events_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE EXCEPTION 'events are append-only'; END$$"
        )
        op.execute(
            "CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE ON events "
            "FOR EACH STATEMENT EXECUTE FUNCTION events_append_only()"
        )


def create_tables() -> None:
    """Tables and indexes, each before those that refer to it."""
    op.create_table(
        "blobs",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_blobs")),
    )
    op.create_table(
        "imap_cursors",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("uidvalidity", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_uid", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("holder", sa.Text(), server_default="", nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_imap_cursors")),
    )
    op.create_table(
        "people",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("language", sa.Text(), server_default="", nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        sa.UniqueConstraint("address", name=op.f("uq_people_address")),
    )
    op.create_table(
        "settings",
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_settings")),
    )
    op.create_table(
        "sources",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("last_success", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_failure", sa.DateTime(timezone=True), nullable=True),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_sources")),
    )
    op.create_table(
        "tickets",
        sa.Column("number", Id, sa.Identity(always=False, start=1001), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=50), nullable=False),
        sa.Column("priority", sa.String(length=50), nullable=False),
        sa.Column("category", sa.String(length=100), server_default="", nullable=False),
        sa.Column("queue", sa.String(length=100), nullable=False),
        sa.Column("group_name", sa.String(length=100), server_default="", nullable=False),
        sa.Column("assignee", sa.String(length=320), server_default="", nullable=False),
        sa.Column("requester", Id, nullable=True),
        sa.Column("language", sa.String(length=10), server_default="", nullable=False),
        sa.Column("source", sa.String(length=50), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolution", sa.Text(), server_default="", nullable=False),
        sa.Column("time_spent", sa.Integer(), server_default="0", nullable=False),
        sa.Column("fields", Json, server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(["requester"], ["people.id"], name=op.f("fk_tickets_requester")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_tickets")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_tickets_status"), "tickets", ["status"], unique=False)
    op.create_index(op.f("ix_tickets_updated"), "tickets", ["updated"], unique=False)
    op.create_table(
        "clocks",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("ticket", Id, nullable=False),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.number"], name=op.f("fk_clocks_ticket")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clocks")),
        sa.UniqueConstraint("ticket", "kind", name=op.f("uq_clocks_ticket_kind")),
    )
    op.create_index(op.f("ix_clocks_due"), "clocks", ["due"], unique=False)
    op.create_table(
        "inbox",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.Text(), server_default="", nullable=False),
        sa.Column("mail_from", sa.Text(), nullable=True),
        sa.Column("rcpt_tos", Json, nullable=False),
        sa.Column("peer", sa.Text(), server_default="", nullable=False),
        sa.Column("helo", sa.Text(), server_default="", nullable=False),
        sa.Column("login", sa.Text(), server_default="", nullable=False),
        sa.Column("received", sa.DateTime(timezone=True), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("ticket", Id, nullable=True),
        sa.Column("duplicate_of", Id, nullable=True),
        sa.Column("trace", Json, server_default=sa.text("'[]'"), nullable=False),
        sa.Column("settled", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(outcome IS NULL) = (due IS NOT NULL)", name=op.f("ck_inbox_settled_or_waiting")
        ),
        sa.CheckConstraint(
            "(outcome IS NULL) = (settled IS NULL)", name=op.f("ck_inbox_outcome_has_time")
        ),
        sa.ForeignKeyConstraint(["digest"], ["blobs.digest"], name=op.f("fk_inbox_digest")),
        sa.ForeignKeyConstraint(["duplicate_of"], ["inbox.id"], name=op.f("fk_inbox_duplicate_of")),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.number"], name=op.f("fk_inbox_ticket")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
        sa.UniqueConstraint("source_key", name=op.f("uq_inbox_source_key")),
    )
    op.create_index(op.f("ix_inbox_digest"), "inbox", ["digest"], unique=False)
    op.create_index(op.f("ix_inbox_message_id"), "inbox", ["message_id"], unique=False)
    op.create_index(op.f("ix_inbox_received"), "inbox", ["received"], unique=False)
    op.create_index(
        "ix_inbox_waiting",
        "inbox",
        ["id"],
        unique=False,
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )
    op.create_table(
        "links",
        sa.Column("ticket", Id, nullable=False),
        sa.Column("other", Id, nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["other"], ["tickets.number"], name=op.f("fk_links_other")),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.number"], name=op.f("fk_links_ticket")),
        sa.PrimaryKeyConstraint("ticket", "other", name=op.f("pk_links")),
    )
    op.create_table(
        "mail_ids",
        sa.Column("message_id", sa.String(length=300), nullable=False),
        sa.Column("ticket", Id, nullable=False),
        sa.Column("referenced_only", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.number"], name=op.f("fk_mail_ids_ticket")),
        sa.PrimaryKeyConstraint("message_id", "ticket", name=op.f("pk_mail_ids")),
    )
    op.create_table(
        "participants",
        sa.Column("ticket", Id, nullable=False),
        sa.Column("person", Id, nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("muted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("added_by", sa.Text(), server_default="", nullable=False),
        sa.Column("added", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["people.id"], name=op.f("fk_participants_person")),
        sa.ForeignKeyConstraint(
            ["ticket"], ["tickets.number"], name=op.f("fk_participants_ticket")
        ),
        sa.PrimaryKeyConstraint("ticket", "person", name=op.f("pk_participants")),
    )
    op.create_index(op.f("ix_participants_person"), "participants", ["person"], unique=False)
    op.create_table(
        "tags",
        sa.Column("ticket", Id, nullable=False),
        sa.Column("tag", sa.String(length=100), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.number"], name=op.f("fk_tags_ticket")),
        sa.PrimaryKeyConstraint("ticket", "tag", name=op.f("pk_tags")),
    )
    op.create_table(
        "contents",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("inbox", Id, nullable=False),
        sa.ForeignKeyConstraint(["inbox"], ["inbox.id"], name=op.f("fk_contents_inbox")),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_contents")),
    )
    op.create_table(
        "events",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("ticket", Id, nullable=True),
        sa.Column("inbox", Id, nullable=True),
        sa.Column("outbox", Id, nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.String(length=50), nullable=False),
        sa.Column("data", Json, server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(["inbox"], ["inbox.id"], name=op.f("fk_events_inbox")),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.number"], name=op.f("fk_events_ticket")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_ticket"), "events", ["ticket"], unique=False)
    op.create_table(
        "messages",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("ticket", Id, nullable=False),
        sa.Column("inbox", Id, nullable=True),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("author", sa.Text(), server_default="", nullable=False),
        sa.Column("author_name", sa.Text(), server_default="", nullable=False),
        sa.Column("message_id", sa.Text(), server_default="", nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("visible", sa.Text(), server_default="", nullable=False),
        sa.Column("defects", Json, server_default=sa.text("'[]'"), nullable=False),
        sa.ForeignKeyConstraint(["inbox"], ["inbox.id"], name=op.f("fk_messages_inbox")),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.number"], name=op.f("fk_messages_ticket")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_messages")),
    )
    op.create_index(op.f("ix_messages_inbox"), "messages", ["inbox"], unique=False)
    op.create_index(op.f("ix_messages_ticket"), "messages", ["ticket"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("ticket", Id, nullable=False),
        sa.Column("notice", sa.String(length=50), nullable=False),
        sa.Column("message_id", sa.String(length=300), nullable=False),
        sa.Column("mail_from", sa.Text(), server_default="", nullable=False),
        sa.Column("automatic", sa.Boolean(), nullable=False),
        sa.Column("inbox", Id, nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["blobs.digest"], name=op.f("fk_outbox_digest")),
        sa.ForeignKeyConstraint(["inbox"], ["inbox.id"], name=op.f("fk_outbox_inbox")),
        sa.ForeignKeyConstraint(["ticket"], ["tickets.number"], name=op.f("fk_outbox_ticket")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("message_id", name=op.f("uq_outbox_message_id")),
    )
    op.create_index(op.f("ix_outbox_inbox"), "outbox", ["inbox"], unique=False)
    op.create_index(op.f("ix_outbox_created"), "outbox", ["created"], unique=False)
    op.create_index(op.f("ix_outbox_ticket"), "outbox", ["ticket"], unique=False)
    op.create_table(
        "attachments",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("message", Id, nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("filename", sa.Text(), server_default="", nullable=False),
        sa.Column("content_type", sa.Text(), server_default="", nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("inline", sa.Boolean(), nullable=False),
        sa.Column("content_id", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["message"], ["messages.id"], name=op.f("fk_attachments_message")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
    )
    op.create_index(op.f("ix_attachments_digest"), "attachments", ["digest"], unique=False)
    op.create_index(op.f("ix_attachments_message"), "attachments", ["message"], unique=False)
    op.create_table(
        "outbox_recipients",
        sa.Column("id", Id, autoincrement=True, nullable=False),
        sa.Column("outbox", Id, nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("role", sa.Text(), server_default="", nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=20), server_default="pending", nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("code", sa.Integer(), server_default="0", nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("route", sa.Text(), server_default="", nullable=False),
        sa.Column("queued", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(due IS NULL) = (state IN ('sent', 'failed', 'cancelled'))",
            name=op.f("ck_outbox_recipients_due_unless_final"),
        ),
        sa.ForeignKeyConstraint(
            ["outbox"], ["outbox.id"], name=op.f("fk_outbox_recipients_outbox")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_recipients")),
        sa.UniqueConstraint("outbox", "address", name=op.f("uq_outbox_recipients_outbox_address")),
    )
    op.create_index(
        op.f("ix_outbox_recipients_address_queued"),
        "outbox_recipients",
        ["address", "queued"],
        unique=False,
    )
    op.create_index(
        "ix_outbox_recipients_due",
        "outbox_recipients",
        ["due", "id"],
        unique=False,
        sqlite_where=sa.text("due IS NOT NULL"),
        postgresql_where=sa.text("due IS NOT NULL"),
    )
