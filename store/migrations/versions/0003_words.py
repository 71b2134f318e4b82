"""Full-text search over messages: an index that triggers keep current, whoever writes."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Characters of a message that are indexed: what matters stands at its beginning, and PostgreSQL
# takes no tsvector of more than a megabyte.
SUBJECT, VISIBLE = 1000, 20_000


def upgrade() -> None:
    """Make the index and fill it with what is there."""
    if op.get_bind().dialect.name == "sqlite":
        upgrade_sqlite()
    else:
        upgrade_postgresql()


def upgrade_sqlite() -> None:
    """FTS5 over columns of `messages`, whose text it does not keep again."""
    op.execute(
        "CREATE VIRTUAL TABLE message_words USING fts5(subject, visible, content='messages',"
        " content_rowid='id', tokenize='unicode61 remove_diacritics 2')"
    )
    op.execute(
        "INSERT INTO message_words (rowid, subject, visible)"
        f" SELECT id, substr(subject, 1, {SUBJECT}), substr(visible, 1, {VISIBLE}) FROM messages"
    )
    new = f"new.id, substr(new.subject, 1, {SUBJECT}), substr(new.visible, 1, {VISIBLE})"
    old = f"old.id, substr(old.subject, 1, {SUBJECT}), substr(old.visible, 1, {VISIBLE})"
    add = f"INSERT INTO message_words (rowid, subject, visible) VALUES ({new});"
    # FTS5 forgets a row when it is told once more what the row said.
    drop = (
        "INSERT INTO message_words (message_words, rowid, subject, visible)"
        f" VALUES ('delete', {old});"
    )
    for name, event, body in (
        ("added", "INSERT", add),
        ("removed", "DELETE", drop),
        ("changed", "UPDATE OF subject, visible", f"{drop} {add}"),
    ):
        op.execute(
            f"CREATE TRIGGER message_words_{name} AFTER {event} ON messages BEGIN {body} END"
        )


def upgrade_postgresql() -> None:
    """A tsvector beside each message, without any language's endings: there are many in a desk."""
    op.execute(
        "CREATE TABLE message_words ("
        " message bigint CONSTRAINT pk_message_words PRIMARY KEY"
        " CONSTRAINT fk_message_words_message REFERENCES messages (id) ON DELETE CASCADE,"
        " words tsvector NOT NULL)"
    )
    words = "to_tsvector('simple', left({0}subject, {1}) || ' ' || left({0}visible, {2}))"
    made = words.format("new.", SUBJECT, VISIBLE)
    op.execute(
        "INSERT INTO message_words (message, words)"
        f" SELECT id, {words.format('', SUBJECT, VISIBLE)} FROM messages"
    )
    op.execute("CREATE INDEX ix_message_words_words ON message_words USING gin (words)")
    op.execute(
        "CREATE FUNCTION message_words_kept() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN INSERT INTO message_words (message, words)"
        f" VALUES (new.id, {made})"
        " ON CONFLICT (message) DO UPDATE SET words = excluded.words; RETURN NULL; END$$"
    )
    op.execute(
        "CREATE TRIGGER message_words_kept AFTER INSERT OR UPDATE OF subject, visible ON messages "
        "FOR EACH ROW EXECUTE FUNCTION message_words_kept()"
    )
