"""A relay as the mailer uses it: is it up, may we send now, and connections kept for reuse."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential

from mailgate.mailer.session import RelaySettings, Reply, RouteDown, Session

_STRIKES = 3  # mails in a row refused at MAIL before the relay counts as down
_LONGEST_BREAK = 60.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """The route went up or down; for the health page."""

    name: str
    ok: bool
    detail: str


class Route:
    """One relay. Lives in the mailer's event loop; seconds are those of the loop's clock."""

    def __init__(self, settings: RelaySettings, first_break: float) -> None:
        """After a failure the relay is left alone for `first_break`, then twice that, ..."""
        self._first_break = first_break
        self.settings = settings
        self.name = settings.name
        self._idle: list[tuple[Session, float]] = []  # the last one used is the last in the list
        self._closed_until = 0.0
        self._failures = 0
        self._strikes = 0
        self._next_slot = 0.0
        self._up: bool | None = None
        self._news: News | None = None

    # --- may we send? ----------------------------------------------------------------

    def down_for(self) -> float:
        """Seconds until the relay may be tried again after a failure, 0 if now."""
        return max(self._closed_until - _now(), 0.0)

    def slot_in(self) -> float:
        """Seconds until `rate` allows another mail."""
        return max(self._next_slot - _now(), 0.0)

    def take_slot(self) -> None:
        """Count a mail against `rate`; mails are spaced evenly, there are no bursts."""
        self._next_slot = max(self._next_slot, _now()) + self._spacing

    def give_slot_back(self) -> None:
        """There was no mail to send after all."""
        self._next_slot -= self._spacing

    @property
    def _spacing(self) -> float:
        return 60 / self.settings.rate if self.settings.rate else 0.0

    # --- connections -----------------------------------------------------------------

    async def session(self, limit: float) -> Session:
        """A connection that takes MAIL now, within `limit` seconds. Raises RouteDown."""
        while self._idle:
            session, _since = self._idle.pop()
            try:
                if await session.reset():
                    return session
            finally:
                if not session.usable:
                    session.drop()
        try:
            async with asyncio.timeout(limit):
                return await self._connect()
        except TimeoutError as error:
            down = RouteDown(f"{self.name}: not ready within {limit:g} s")
            self._failed(str(down))
            raise down from error
        except RouteDown as error:
            self._failed(str(error))
            raise

    async def _connect(self) -> Session:
        # A relay that restarts is back in a moment; one that refuses us is not asked again.
        attempts = AsyncRetrying(
            stop=stop_after_attempt(3),
            wait=wait_exponential(multiplier=0.1, max=1),
            retry=retry_if_exception(lambda e: isinstance(e, RouteDown) and not e.refused),
            reraise=True,
        )
        return await attempts(Session.open, self.settings)

    def put_back(self, session: Session) -> None:
        """Keep a connection for the next mail if it is in good order, else drop it."""
        if session.usable:
            self._idle.append((session, _now()))
        else:
            session.drop()

    async def close_idle(self, longer_than: float) -> None:
        """QUIT on connections unused for that many seconds."""
        old = [pair for pair in self._idle if _now() - pair[1] >= longer_than]
        self._idle = [pair for pair in self._idle if pair not in old]
        await asyncio.gather(*(session.quit() for session, _since in old))

    # --- the circuit breaker ---------------------------------------------------------

    def learn(self, reply: Reply, *, permanent: bool) -> None:
        """Judge the relay by its answer: refusing every sender is as good as being down."""
        if reply.about_us and not permanent:
            self._strikes += 1
            if self._strikes >= _STRIKES:
                self._failed(f"{self.name}: {reply.code} {reply.text}")
        elif reply.code:
            self._worked()

    def _failed(self, detail: str) -> None:
        if self.down_for():
            return  # the same trouble, seen by another connection
        self._failures += 1
        pause = min(self._first_break * 2 ** min(self._failures - 1, 10), _LONGEST_BREAK)
        self._closed_until = _now() + pause
        self._up = False
        self._news = News(name=self.name, ok=False, detail=detail)

    def _worked(self) -> None:
        self._failures = self._strikes = 0
        if not self._up:
            self._news = News(name=self.name, ok=True, detail="")
        self._up = True

    def take_news(self) -> News | None:
        """What changed since this was asked last."""
        news, self._news = self._news, None
        return news


def _now() -> float:
    return asyncio.get_running_loop().time()
