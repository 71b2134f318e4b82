"""What was said aside: the third parties whom a message went to, or the one it came from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and its index; nothing was said aside before."""
    op.add_column("messages", sa.Column("aside", sa.Text(), server_default="", nullable=False))
    aside = sa.text("aside <> ''")
    op.create_index(
        "ix_messages_aside", "messages", ["ticket"], sqlite_where=aside, postgresql_where=aside
    )
