"""rules.yaml -> rules, or every mistake in it with line and column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import regex

from mailgate.config.fields import address_of
from mailgate.config.models import Config
from mailgate.config.problems import ConfigError, nearest
from mailgate.config.yamlnodes import Place, Report, is_null, root
from mailgate.core.mail import Kind
from mailgate.core.policy import Action, Condition, Pattern, Rule
from mailgate.core.rules import ACTIONS, FIELDS, HEADER, IGNORE, MANY, TEXT_FIELDS, compiled

RULE_KEYS = frozenset({"name", "on", "when", "unless", "then", "stop"})
CONDITION_KEYS = frozenset({*FIELDS, "header"})
ACTION_KEYS = frozenset({*ACTIONS, IGNORE})
ON = ("new", "reply", "any")
MAX_TEXT = 1000  # characters of one pattern, name or value

Known = frozenset[str] | None  # None: not known for certain, so anything goes


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What rules may speak of."""

    categories: Known = None
    priorities: Known = None
    statuses: Known = None
    queues: Known = None
    groups: Known = None
    agents: dict[str, str] | None = field(default=None)  # address or alias, lower case -> address

    @classmethod
    def of(cls, config: Config, whole: Callable[..., bool] = lambda *_: True) -> Names:
        """The names of a configuration; `whole` tells which of its sections are complete."""
        tickets = config.tickets
        sorted_by = whole("tickets")
        return cls(
            categories=frozenset(tickets.categories) if sorted_by and tickets.categories else None,
            priorities=frozenset(tickets.priorities) if sorted_by else None,
            statuses=frozenset(tickets.statuses) if sorted_by else None,
            queues=frozenset(b.queue for b in config.mailbox) if whole("mailbox") else None,
            groups=frozenset(tickets.groups) if sorted_by else None,
            agents={
                known.lower(): agent.address
                for agent in config.agent
                for known in (agent.address, *agent.aliases)
            }
            if whole("agent")
            else None,
        )


def load_rules(path: Path | None, config: Config) -> tuple[Rule, ...]:
    """The rules of a file; no path, no rules. Raises ConfigError with every mistake."""
    return read_rules(path, Names.of(config)) if path else ()


def read_rules(path: Path, names: Names) -> tuple[Rule, ...]:
    """The rules of a file, checked against `names`. Raises ConfigError with every mistake."""
    top = root(path)
    if top is None or is_null(top):
        return ()
    reader = _Reader(Report(str(path)), path.name, names)
    rules = reader.rules(top)
    if reader.report.problems:
        raise ConfigError(reader.report.problems)
    return rules


@dataclass(frozen=True, slots=True)
class _Reader:
    report: Report
    shown: str  # the file's name in traces
    names: Names

    def rules(self, top: Place) -> tuple[Rule, ...]:
        place = self.report.mapping(top, frozenset({"rules"})).get("rules")
        if place is None or is_null(place):
            return ()
        return tuple(self._rule(item, at) for at, item in enumerate(self.report.items(place)))

    def _rule(self, place: Place, at: int) -> Rule:
        keys = self.report.mapping(place, RULE_KEYS)
        name = self.report.text(keys["name"]) if "name" in keys else None
        on = self._one_of(keys["on"], frozenset(ON)) if "on" in keys else "new"
        rule = Rule(
            name=name or f"rule {at + 1}",
            where=f"{self.shown}:{place.line}",
            when=self._conditions(keys.get("when")),
            unless=self._conditions(keys.get("unless")),
            then=self._actions(keys.get("then")),
            on=on or "new",
            stop=self.report.flag(keys["stop"]) if "stop" in keys else False,
        )
        self._sense(place, keys, rule)
        return rule

    def _sense(self, place: Place, keys: dict[str, Place], rule: Rule) -> None:
        """Rules that cannot be meant."""
        if keys and "then" not in keys and not rule.stop:
            self.report.add(place, "this rule does nothing", "write `then:` or `stop: true`")
        names = [action.name for action in rule.then]
        if IGNORE in names and len(names) > 1:
            message = "ignore stands alone: an ignored mail has no ticket to change"
            self.report.add(keys["then"], message, "remove the other actions")
        if IGNORE in names and "when" not in keys and "unless" not in keys:
            message = "this rule would ignore every mail"
            self.report.add(keys["then"], message, "write `when:`")

    # --- conditions ----------------------------------------------------------------------

    def _conditions(self, place: Place | None) -> tuple[Condition, ...]:
        if place is None:
            return ()
        found: list[Condition] = []
        for name, value in self.report.mapping(place, CONDITION_KEYS).items():
            if name == "header":
                for header, inner in self.report.mapping(value).items():
                    found.append(self._condition(HEADER + header.lower(), inner))
            else:
                found.append(self._condition(name, value))
        return tuple(found)

    def _condition(self, name: str, place: Place) -> Condition:
        patterns = [self._pattern(name, item, text) for item, text in self.report.texts(place)]
        return Condition(field=name, patterns=tuple(p for p in patterns if p))

    def _pattern(self, name: str, place: Place, text: str) -> Pattern | None:
        if len(text) > MAX_TEXT:
            self.report.add(place, f"is longer than {MAX_TEXT} characters", "shorten it")
            return None
        if len(text) > 1 and text.startswith("/") and text.endswith("/"):
            return self._expression(place, text)
        if name in TEXT_FIELDS or name.startswith(HEADER):
            return Pattern(written=text, regex=regex.escape(text))
        self._possible(name, place, text)
        return Pattern(written=text, regex=_whole(text))

    def _expression(self, place: Place, text: str) -> Pattern | None:
        try:
            compiled(text[1:-1])
        except regex.error as error:
            message = f"{text} is not a regular expression: {error}"
            self.report.add(place, message, "mend it; see docs/rules.md")
            return None
        if not text[1:-1]:
            self.report.add(place, "// matches everything", "remove the key")
        return Pattern(written=text, regex=text[1:-1])

    def _possible(self, name: str, place: Place, text: str) -> None:
        """Note a queue or kind that no mail can have."""
        known = {"kind": frozenset(k.value for k in Kind), "queue": self.names.queues}.get(name)
        if known is None or "*" in text or "?" in text:
            return
        if text.lower() not in {k.lower() for k in known}:
            self.report.add(place, f"there is no {name} {text!r}", nearest(text, known))

    # --- actions -------------------------------------------------------------------------

    def _actions(self, place: Place | None) -> tuple[Action, ...]:
        if place is None:
            return ()
        keys = self.report.mapping(place, ACTION_KEYS)
        if not keys and not getattr(place.node, "value", None):
            self.report.add(place, "is empty", f"write one of: {', '.join(sorted(ACTION_KEYS))}")
        return tuple(self._action(name, value) for name, value in keys.items())

    def _action(self, name: str, place: Place) -> Action:
        texts = self.report.texts(place)
        if len(texts) > 1 and name not in MANY:
            self.report.add(place, "takes one value", "remove the list")
        values = [self._value(name, item, text) for item, text in texts]
        return Action(name=name, values=tuple(v for v in values if v is not None))

    def _value(self, name: str, place: Place, text: str) -> str | None:
        if len(text) > MAX_TEXT or not text.isprintable():
            self.report.add(place, "is not one line of plain text", "shorten it")
            return None
        if name == "assign":
            return self._assignee(place, text)
        if name == "cc":
            return self._address(place, text)
        known = {
            "category": self.names.categories,
            "priority": self.names.priorities,
            "status": self.names.statuses,
        }.get(name)
        return self._one_of(place, known, name) if known is not None else text

    def _assignee(self, place: Place, text: str) -> str | None:
        agents, groups = self.names.agents, self.names.groups
        if "@" not in text:
            return self._one_of(place, groups, "group") if groups is not None else text
        address = self._address(place, text)
        if address is None or agents is None:
            return address
        if address.lower() not in agents:
            message = f"{text} is not an agent"
            self.report.add(
                place, message, nearest(text, agents.values(), "write an [[agent]] for it")
            )
        return agents.get(address.lower())

    def _address(self, place: Place, text: str) -> str | None:
        address = address_of(text.strip())
        if address is None:
            message = f"{text!r} is not a mail address"
            self.report.add(place, message, "write one like ana@example.org")
        return address

    def _one_of(self, place: Place, known: frozenset[str], what: str = "value") -> str | None:
        text = self.report.text(place)
        if text is not None and text not in known:
            self.report.add(place, f"there is no {what} {text!r}", nearest(text, known))
            return None
        return text


def _whole(text: str) -> str:
    """An expression for a whole value in which `*` and `?` are wildcards."""
    signs = {"*": ".*", "?": "."}
    return rf"(?s:\A{''.join(signs.get(c) or regex.escape(c) for c in text.strip())}\Z)"
