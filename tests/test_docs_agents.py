"""docs/agents.md holds the table of commands as the program knows it."""

from __future__ import annotations

from pathlib import Path

from mailgate.core.commands import COMMANDS
from mailgate.core.people import Power
from tests.conftest import Golden

PAGE = Path(__file__).resolve().parents[1] / "docs" / "agents.md"
BEGIN = "<!-- commands: made from the table in mailgate/core/commands.py -->\n"
END = "<!-- end of commands -->\n"


def table() -> str:
    """The commands as a table in Markdown."""
    rows = [
        f"| `{row.usage}`{' *' if row.power is Power.WIDEN else ''} | {row.effect} |"
        f" `{row.example}` |".replace("into|from", r"into\|from")
        for row in COMMANDS.values()
    ]
    return "\n".join(["| command | what it does | example |", "|---|---|---|", *rows]) + "\n"


def test_the_page_holds_the_table(golden: Golden) -> None:
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    golden(PAGE, f"{before}{BEGIN}\n{table()}\n{END}{after}")
    assert after
