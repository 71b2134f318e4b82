"""What a run has shown: medians, ratios round by round, and how both are printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.bomb import Phase, Waits
from bench.peers import Load, Result
from bench.stages import Stage

MAILGATE, SINK, ROUNDUP = "mailgate", "bare sink", "Roundup"

Rounds = Mapping[tuple[str, Load], Sequence[Result]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """One figure of mailgate divided by the other's of the same round."""

    what: str
    median: float
    lowest: float
    highest: float


def medians(results: Sequence[Result]) -> Result:
    """The median of each figure for itself."""
    return Result(**{f.name: median(getattr(r, f.name) for r in results) for f in fields(Result)})


def ratios(rounds: Rounds) -> list[Ratio]:
    """Accepting against the bare sink, settling against Roundup; only what was measured."""
    return list(_ratios(rounds))


def _ratios(rounds: Rounds) -> Iterator[Ratio]:
    for (name, load), ours in rounds.items():
        if name != MAILGATE:
            continue
        label = f"{load.mix}, {load.connections} connections"
        sink = rounds.get((SINK, load), ())
        yield from _ratio(f"accept / bare sink: {label}", "accept", ours, sink)
        batches = [r for (n, other), r in rounds.items() if n == ROUNDUP and other.mix is load.mix]
        if batches and load.connections > 1:
            yield from _ratio(f"settle / Roundup batch: {label}", "settle", ours, batches[0])


def _ratio(
    what: str, figure: str, ours: Sequence[Result | Waits], theirs: Sequence[Result | Waits]
) -> Iterator[Ratio]:
    found = [getattr(a, figure) / getattr(b, figure) for a, b in zip(ours, theirs, strict=False)]
    if found:
        yield Ratio(what=what, median=median(found), lowest=min(found), highest=max(found))


def bomb_ratios(bombs: Sequence[Mapping[Phase, Waits]]) -> list[Ratio]:
    """How much longer 95 of 100 ordinary mails take at most, beside each bomb."""
    return [
        ratio
        for phase in (Phase.SENDER, Phase.DOMAIN)
        for ratio in _ratio(
            f"p95 of others: bomb of {phase} / no bomb",
            "p95",
            [bomb[phase] for bomb in bombs],
            [bomb[Phase.CALM] for bomb in bombs],
        )
    ]


def show(
    console: Console,
    rounds: Rounds,
    stages: Mapping[str, Sequence[Stage]],
    bombs: Sequence[Mapping[Phase, Waits]] = (),
) -> None:
    """Print all tables."""
    if rounds:
        console.print(_runs(rounds))
    if stages:
        console.print(_stages(stages))
    if found := [*ratios(rounds), *bomb_ratios(bombs)]:
        table = Table(title="Ratios, round by round", title_justify="left")
        table.add_column("mailgate / other, or as it says")
        for column in ("median", "lowest", "highest"):
            table.add_column(column, justify="right")
        for r in found:
            table.add_row(r.what, *(f"{x:.2f} x" for x in (r.median, r.lowest, r.highest)))
        console.print(table)


def _runs(rounds: Rounds) -> Table:
    table = Table(title="This run: medians of the rounds", title_justify="left")
    for column in ("who", "mail", "connections"):
        table.add_column(column)
    for column in ("accept/s", "p50 ms", "p99 ms", "settle/s", "CPU ms/mail", "peak MB", "sent"):
        table.add_column(column, justify="right")
    for (name, load), results in rounds.items():
        m = medians(results)
        table.add_row(
            name,
            load.mix.value,
            str(load.connections or "batch"),
            *map(_number, (m.accept, m.p50 * 1000, m.p99 * 1000, m.settle, m.cpu * 1000)),
            _number(m.peak / 1e6),
            _number(m.sent),
        )
    return table


def _stages(stages: Mapping[str, Sequence[Stage]]) -> Table:
    table = Table(title="Cost of each stage in one process, per mail", title_justify="left")
    table.add_column("stage")
    for mix in stages:
        table.add_column(f"{mix}: ms", justify="right")
        table.add_column("SQL", justify="right")
    by_name: dict[str, list[Stage | None]] = {}
    for column, found in enumerate(stages.values()):
        for stage in found:
            by_name.setdefault(stage.name, [None] * len(stages))[column] = stage
    for name, row in by_name.items():
        cells = [(f"{s.ms:.2f}", f"{s.statements:.1f}") if s else ("-", "-") for s in row]
        table.add_row(name, *(cell for pair in cells for cell in pair))
    return table


def _number(value: float) -> str:
    if not value:
        return "-"
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}"
