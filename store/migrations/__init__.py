"""Schema history (Alembic). HEAD is the revision this code was written for."""

HEAD = "0005"
