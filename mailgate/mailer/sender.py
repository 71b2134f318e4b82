"""The mailer's loop: workers that each carry one copy at a time to a relay and write the answer."""

from __future__ import annotations

import asyncio
import functools
import math
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential

from mailgate import crash, journal
from mailgate.core.decision import Attempt, CopyState, Fate
from mailgate.core.retry import Schedule, is_permanent, judge, may_send
from mailgate.mailer.copies import Copies, Result
from mailgate.mailer.route import News, Route
from mailgate.mailer.session import RelaySettings, Reply, RouteDown, Session
from store.database import Database, Unavailable
from store.outbox import Queued

OnResult = Callable[[Queued, Attempt, Fate], None]

_RATE_FLOOR = 100_000  # octets per second we expect of a slow line, for the deadline of a big mail
_TICK = 0.25  # seconds between two looks at `stop`
_NO_WORDS = "the relay's words could not be written down"
_SOON = 0.05  # shortest sleep, against a copy that is due but held by another node


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Patience of the mailer, in seconds, and how many mails it carries at once.

    A claim outlives everything that can happen to a copy: deadline, and then writing the result.
    """

    deadline: float = 120.0  # one attempt in all; a big mail gets more, up to lease - settling
    opening: float = 30.0  # connect, greeting, TLS, EHLO and AUTH together, for each route
    lease: float = 300.0
    settling: float = 30.0  # at least this much of the lease is left to write the result
    grace: float = 2.5  # what a transaction in flight gets when the mailer has to stop
    idle: float = 30.0  # a connection is kept that long for the next mail
    connections: int = 4
    first_break: float = 1.0  # a relay that failed is left alone that long; doubles up to a minute

    def attempt(self, size: int) -> float:
        """The deadline for a mail of `size` octets."""
        return min(self.deadline + size / _RATE_FLOOR, self.lease - self.settling)


class _Flight:
    """A copy on its way: what the deadline has to know to say what became of it."""

    def __init__(self, copy: Queued, seconds: float) -> None:
        self.copy = copy
        self.deadline = asyncio.timeout(seconds)
        self.session: Session | None = None
        self.route = ""

    @property
    def dotted(self) -> bool:
        return self.session is not None and self.session.dotted


class Mailer:
    """Carries due copies to the first route that is up. One instance runs in one thread."""

    def __init__(
        self,
        database: Database,
        routes: Sequence[RelaySettings],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        schedule: Schedule | None = None,
        timing: Timing | None = None,
        on_result: OnResult | None = None,
    ) -> None:
        """`on_result` is called in the mailer's thread after each result was written."""
        self._clock = clock
        self._schedule = schedule or Schedule()
        self._timing = timing or Timing()
        self._on_result = on_result
        self._settings = tuple(routes)
        self._copies = Copies(database, timedelta(seconds=self._timing.lease))
        self._arrived: dict[int, Result] = {}  # by recipient: taken by a relay, but not written
        # Another node or a command line may queue a mail without our hearing of it.
        self._longest_sleep = 1.0

    def run(self, stop: threading.Event, wake: threading.Event) -> None:
        """Send until `stop` is set; `wake` says that there may be something new to send.

        Set `wake` after `stop` to have it noticed at once rather than within a quarter second.
        Returns within 5 s of `stop`: a transaction in flight may end, else its copy is given back
        (or becomes uncertain, if the mail was complete). Without a route everything waits.
        """
        journal.started(what="mailer", where=", ".join(s.name for s in self._settings))
        asyncio.run(self._main(stop, wake))
        journal.stopped(what="mailer")

    async def _main(self, stop: threading.Event, wake: threading.Event) -> None:
        self._end = math.inf  # when a stopping mailer gives up writing results
        self._woken = asyncio.Event()
        self._turn = asyncio.Lock()
        self._flights: set[_Flight] = set()
        self._routes = [Route(s, self._timing.first_break) for s in self._settings]
        async with asyncio.TaskGroup() as group:
            for _ in range(self._timing.connections if self._routes else 0):
                group.create_task(self._worker())
            await self._watch(stop, wake)
        await asyncio.gather(*(route.close_idle(0) for route in self._routes))

    async def _watch(self, stop: threading.Event, wake: threading.Event) -> None:
        while not stop.is_set():
            if await asyncio.to_thread(wake.wait, _TICK):
                wake.clear()
                self._woken.set()
            await asyncio.gather(*(r.close_idle(self._timing.idle) for r in self._routes))
        soon = _now() + self._timing.grace
        self._end = soon + 1
        self._woken.set()
        for flight in self._flights:
            if (flight.deadline.when() or 0) > soon:
                flight.deadline.reschedule(soon)

    def _stopping(self) -> bool:
        return self._end < math.inf

    # --- finding something to do -----------------------------------------------------

    async def _worker(self) -> None:
        while not self._stopping():
            async with self._turn:  # one worker looks for all; the others wait here or carry
                copy = await self._next()
            while copy:
                copy = await self._carry(copy)

    async def _next(self) -> Queued | None:
        failures = 0
        while not self._stopping():
            self._woken.clear()
            wait = self._held_for()
            if not wait:
                try:
                    copy = await self._look()
                    if copy:
                        return copy
                    failures, wait = 0, await self._until_due()
                except (Unavailable, OSError) as error:  # OSError: of the blob folder
                    journal.trouble(what="mailer cannot read the outbox", error=error)
                    failures, wait = failures + 1, min(0.5 * 2**failures, 15.0)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), wait)
        return None

    async def _look(self) -> Queued | None:
        # Reading first: an idle mailer must not take SQLite's only writer every few seconds.
        due = await asyncio.to_thread(self._copies.next_due)
        if due is None or due > self._clock():
            return None
        route = self._reserve()
        copy = await asyncio.to_thread(self._copies.take, self._clock()) if route else None
        if route and not copy:
            route.give_slot_back()
        return copy

    async def _until_due(self) -> float:
        due = await asyncio.to_thread(self._copies.next_due)
        wait = (due - self._clock()).total_seconds() if due else self._longest_sleep
        return min(max(wait, _SOON), self._longest_sleep)

    def _held_for(self) -> float:
        """Seconds until a route is up and its rate allows a mail."""
        up = [route for route in self._routes if not route.down_for()]
        if up:
            return up[0].slot_in()
        return min(route.down_for() for route in self._routes)

    def _reserve(self) -> Route | None:
        """Take the slot of the next mail; None when none may be claimed now."""
        if self._stopping() or self._held_for():
            return None
        route = next(route for route in self._routes if not route.down_for())
        route.take_slot()
        return route

    # --- one copy --------------------------------------------------------------------

    async def _carry(self, copy: Queued) -> Queued | None:
        """Send one copy, write the result, take the next one."""
        lease_ends = _now() + self._timing.lease - 1
        arrived = self._arrived.pop(copy.id, None)
        if arrived:  # the relay has it: only the record of that is missing
            return await self._settle(replace(arrived, copy=copy), lease_ends)
        flight = _Flight(copy, self._timing.attempt(len(copy.data)))
        self._flights.add(flight)
        try:
            attempt = await self._attempt(flight)
        finally:
            self._flights.discard(flight)
        if attempt is None:
            return await self._settle(Result(copy=copy), lease_ends)
        fate = judge(
            attempt,
            attempts=copy.attempts,
            queued=copy.queued,
            automatic=copy.automatic,
            schedule=self._schedule,
            seed=copy.id,
        )
        return await self._settle(Result(copy=copy, attempt=attempt, fate=fate), lease_ends)

    async def _attempt(self, flight: _Flight) -> Attempt | None:
        """One attempt over the routes, within the deadline; None when it could not be made."""
        copy = flight.copy
        if self._stopping():
            return None
        if not may_send(copy.before, automatic=copy.automatic):
            return self._attempted(
                Reply(code=0, text="the sender died on the way", uncertain=True), flight
            )
        try:
            async with flight.deadline:
                reply = await self._over_routes(flight)
        except TimeoutError:
            if self._stopping() and not flight.dotted:
                return None
            reply = Reply(code=0, text="no end within the deadline", uncertain=flight.dotted)
        except Exception as error:  # a mistake of ours must cost one attempt, not the daemon
            journal.trouble(what="mailer", error=error, outbox=copy.outbox, recipient=copy.id)
            reply = Reply(code=0, text=f"internal: {error!r}", uncertain=flight.dotted)
        return self._attempted(reply, flight) if reply else None

    def _attempted(self, reply: Reply, flight: _Flight) -> Attempt:
        return Attempt(
            code=reply.code,
            text=reply.text,
            at=self._clock(),
            uncertain=reply.uncertain,
            route=flight.route,
            about_us=reply.about_us,
        )

    async def _over_routes(self, flight: _Flight) -> Reply | None:
        """The first route that can be opened decides; None when all are known to be down."""
        down: list[RouteDown] = []
        for route in self._routes:
            if route.down_for():
                continue
            flight.route = route.name
            try:
                flight.session = await route.session(self._timing.opening)
            except RouteDown as error:
                down.append(error)
                continue
            if down:
                route.take_slot()  # the slot taken for this copy was that of the first route
            crash.point("out.connected")
            try:
                reply = await flight.session.deliver(flight.copy)
            finally:
                route.put_back(flight.session)
            route.learn(reply, permanent=is_permanent(self._attempted(reply, flight)))
            return reply
        text = "; ".join(str(error) for error in down)
        return Reply(code=down[0].code, text=text, about_us=True) if down else None

    # --- writing what became of it ---------------------------------------------------

    async def _settle(self, result: Result, lease_ends: float) -> Queued | None:
        """Write a result and take the next copy; nothing more is sent until it is written.

        While the database is away this tries on until the claim is about to end: after that
        the copy belongs to whoever claims it next, and is treated as one whose sender died.
        What the database will not have is written without the relay's words.
        """
        slot = self._reserve()
        copy: Queued | None = None
        try:
            copy = await self._write(result, self._take_news(), lease_ends, slot)
        except (Unavailable, OSError) as error:
            self._lost(result, error)
        except Exception as error:
            self._refused(result, error)
            await self._settle_plainly(result, lease_ends)
        else:
            self._tell(result)
        if slot and not copy:
            slot.give_slot_back()
        return copy

    async def _settle_plainly(self, result: Result, lease_ends: float) -> None:
        """Write a result in our own words alone; one that is refused again is kept in mind."""
        if result.attempt is not None:
            result = replace(result, attempt=replace(result.attempt, text=_NO_WORDS))
        try:
            await self._write(result, (), lease_ends, None)
        except Exception as error:
            self._lost(result, error)
            if result.fate and result.fate.state is CopyState.SENT:
                self._arrived[result.copy.id] = result
        else:
            self._tell(result)

    async def _write(
        self, result: Result, news: Sequence[News], lease_ends: float, slot: Route | None
    ) -> Queued | None:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type((Unavailable, OSError)),
            wait=wait_exponential(multiplier=0.05, max=1),
            stop=lambda _state: _now() > min(lease_ends, self._end),
            before_sleep=self._not_written,
            reraise=True,
        )
        write = functools.partial(self._copies.settle, result, news, take_next=slot is not None)
        return await retrying(asyncio.to_thread, lambda: write(self._clock()))

    def _refused(self, result: Result, error: Exception) -> None:
        journal.trouble(
            what="a result was refused by the database",
            error=error,
            outbox=result.copy.outbox,
            recipient=result.copy.id,
        )

    def _take_news(self) -> list[News]:
        found = [news for route in self._routes if (news := route.take_news())]
        for news in found:
            if news.ok:
                journal.started(what="relay", where=news.name)
            else:
                journal.trouble(what="relay down", error=news.detail)
        return found

    def _not_written(self, state: RetryCallState) -> None:
        if state.attempt_number == 1 and state.outcome:
            error = state.outcome.exception() or "no reason given"
            journal.trouble(what="mailer stands still: a result cannot be written", error=error)

    def _lost(self, result: Result, error: Exception) -> None:
        said = f"{result.attempt.code} {result.attempt.text}" if result.attempt else "not tried"
        journal.trouble(
            what="a result was never written",
            error=error,
            outbox=result.copy.outbox,
            recipient=result.copy.id,
            said=said,
        )

    def _tell(self, result: Result) -> None:
        copy, attempt, fate = result.copy, result.attempt, result.fate
        if fate is None or fate.due:
            self._woken.set()  # due sooner than whoever looks for work may have seen
        if attempt is None or fate is None:
            return
        journal.attempted(
            outbox=copy.outbox,
            recipient=copy.id,
            state=fate.state.value,
            code=attempt.code,
            text=attempt.text,
        )
        if self._on_result:
            self._on_result(copy, attempt, fate)


def _now() -> float:
    return asyncio.get_running_loop().time()
