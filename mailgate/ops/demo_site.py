"""The configuration and the rules of the demo."""

from __future__ import annotations

from pathlib import Path

CONFIG = """\
[helpdesk]
domain = "example.org"
name = "Support"
data_dir = "data"

[[mailbox]]
address = "support@example.org"

[[agent]]
address = "ana@example.org"
name = "Ana"

[[agent]]
address = "bruno@example.org"
name = "Bruno"

[[smtp]]
listen = "127.0.0.1:{smtp}"

[[relay]]
host = "127.0.0.1"
port = {relay}
tls = "none"

[web]
listen = "127.0.0.1:{web}"

[tickets]
categories = ["billing", "orders"]

[gate]
per_address_hour = 20
"""

RULES = """\
rules:
  - name: invoices
    when:
      subject: [invoice, factura, facture]
    then:
      category: billing
      priority: high
      tag: money
"""


def write(folder: Path, *, smtp: int, web: int, relay: int) -> None:
    """config.toml and rules.yaml for these ports on loopback."""
    text = CONFIG.format(smtp=smtp, web=web, relay=relay)
    (folder / "config.toml").write_text(text, encoding="utf-8")
    (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
