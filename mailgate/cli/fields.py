"""Arguments that several commands share."""

from __future__ import annotations

import typer

LAST_ID = 2**63 - 1  # no database gives a larger one, and none can be asked for it


def row_number(word: str) -> int:
    """The id of a row, as a person writes it: 17 or #17. Raises typer.BadParameter."""
    digits = word.removeprefix("#")
    known = digits.isascii() and digits.isdecimal() and len(digits) <= 19
    if not (known and 0 < int(digits) <= LAST_ID):
        raise typer.BadParameter(f"{word!r} is not a number such as 17")
    return int(digits)


LIMIT = typer.Option(100, min=1, metavar="N", help="At most so many, the newest.")
