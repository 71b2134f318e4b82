"""The configuration that stories are played with."""

from __future__ import annotations

import re

CONFIG = """\
[helpdesk]
domain = "example.org"
name = "Example"
data_dir = "data"
rules = "rules.yaml"

[[mailbox]]
address = "support@example.org"
name = "Support"
aliases = ["help@example.org"]

[[mailbox]]
address = "sales@example.org"
name = "Sales"
queue = "sales"

[[agent]]
address = "ana@example.org"
name = "Ana Torres"
aliases = ["ana@phone.example"]

[[agent]]
address = "ben@example.org"
name = "Ben"
queues = ["sales"]

[trust]
plus_addressing = "yes"

[tickets]
categories = ["billing", "orders"]
autoclose_days = 3

[tickets.groups]
night = ["ana@example.org", "ben@example.org"]
"""


def config_with(more: str) -> str:
    """CONFIG with more of it; a section that is given again replaces ours."""
    given = set(re.findall(r"^\[[a-z.]+\]", more, re.MULTILINE))
    ours = re.split(r"(?=^\[)", CONFIG, flags=re.MULTILINE)
    return "".join(part for part in ours if part.partition("\n")[0] not in given) + "\n" + more
