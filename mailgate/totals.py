"""Caps that many addresses share: in all, on one ticket, of one kind, in one domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from mailgate.caps import Caps
from mailgate.core.decision import Notify
from store.database import Tx

HOUR = timedelta(hours=1)


@dataclass(kw_only=True)
class Totals:
    """The shared caps as they stand for one notice."""

    tx: Tx
    notify: Notify
    caps: Caps
    now: datetime
    by_mail: bool
    ticket: int | None
    _domains: dict[str, int] = field(default_factory=dict)

    def why_not(self, address: str, passed: Sequence[str]) -> str:
        """Why no more may leave; `passed` are the notice's recipients who were let through."""
        for cap, sent, name in self._shared:
            if sent + len(passed) >= cap:
                return f"the cap of {cap} automatic mails an hour {name}".strip() + " is reached"
        domain = address.rpartition("@")[2]
        cap = self._domain_cap
        if cap and self._in_domain(domain) + _of(domain, passed) >= cap:
            return (
                f"the cap of {cap} automatic mails an hour to unproven senders of this domain "
                "is reached"
            )
        return ""

    @cached_property
    def _domain_cap(self) -> int:
        free = self.notify.proven or not self.by_mail
        return 0 if free else self.caps.per_domain_hour

    @cached_property
    def _total(self) -> int:
        caps = self.caps
        most = max(caps.total_hour, caps.per_ticket_hour, caps.per_kind_hour, self._domain_cap)
        return self.tx.counting.total(self.now - HOUR, most) if most else 0

    @cached_property
    def _shared(self) -> list[tuple[int, int, str]]:
        """Caps that this notice could reach: what was sent in all is more than any part of it."""
        caps, counting, since = self.caps, self.tx.counting, self.now - HOUR
        found: list[tuple[int, int, str]] = []
        if self._near(caps.total_hour):
            found.append((caps.total_hour, self._total, ""))
        if self.ticket and self._near(caps.per_ticket_hour):
            sent = counting.on_ticket(self.ticket, since, caps.per_ticket_hour)
            found.append((caps.per_ticket_hour, sent, "on this ticket"))
        if self._near(caps.per_kind_hour):
            kind = self.notify.notice
            sent = counting.of_kind(kind, since, caps.per_kind_hour)
            found.append((caps.per_kind_hour, sent, f"of the kind {kind.value}"))
        return found

    def _near(self, cap: int) -> bool:
        return bool(cap) and self._total + len(self.notify.to) >= cap

    def _in_domain(self, domain: str) -> int:
        if not self._near(self._domain_cap):
            return 0
        if domain not in self._domains:
            since, most = self.now - HOUR, self._domain_cap
            self._domains[domain] = self.tx.counting.in_domain(domain, since, most)
        return self._domains[domain]


def _of(domain: str, addresses: Sequence[str]) -> int:
    return sum(address.rpartition("@")[2] == domain for address in addresses)
