"""rules.yaml at work: which rules a mail matches, and the effects they have on its ticket.

Rules run once per mail, from top to bottom; an effect never starts another rule, so rules cannot
loop. Evaluation is pure but for one thing: a pattern that runs out of time fails its rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import regex

from mailgate.core.decision import AddParticipant, AddTag, Effect, SetField, Step
from mailgate.core.mail import Address, Kind, ParsedMail
from mailgate.core.policy import Condition, Pattern, Rule

MATCH_SECONDS = 0.1  # for one pattern on one value
MATCH_CHARACTERS = 100_000  # of one value; what lies behind is not looked at
MAX_TIMEOUTS = 5  # per mail; rules that come after these are not looked at
MAX_EFFECTS = 20  # per mail


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleContext:
    """What a rule may ask that is not written in the mail."""

    queue: str
    is_new: bool  # the mail opens a ticket; otherwise it is a reply
    kind: Kind = Kind.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """What the rules want. With `ignore` set there are no effects."""

    effects: tuple[Effect, ...] = ()
    ignore: str | None = None  # the reason
    steps: tuple[Step, ...] = ()  # one per rule that was looked at


# --- conditions: what a field of a rule looks at -----------------------------------------

Values = tuple[str, ...]
Reader = Callable[[ParsedMail, RuleContext], Values]


def _from(mail: ParsedMail, _context: RuleContext) -> Values:
    authors = mail.from_ or ((mail.sender,) if mail.sender else ())
    return tuple(a.addr for a in authors)


def _to(mail: ParsedMail, _context: RuleContext) -> Values:
    return tuple(a.addr for a in mail.to)


def _cc(mail: ParsedMail, _context: RuleContext) -> Values:
    return tuple(a.addr for a in mail.cc)


def _subject(mail: ParsedMail, _context: RuleContext) -> Values:
    return (mail.subject,)


def _body(mail: ParsedMail, context: RuleContext) -> Values:
    # What a reply quotes has been judged before; what a new mail quotes or forwards has not.
    return (mail.text if context.is_new else mail.visible,)


def _attachment(mail: ParsedMail, _context: RuleContext) -> Values:
    return tuple(text for a in mail.attachments for text in (a.filename, a.content_type))


def _queue(_mail: ParsedMail, context: RuleContext) -> Values:
    return (context.queue,)


def _kind(_mail: ParsedMail, context: RuleContext) -> Values:
    return (context.kind.value,)


def _language(mail: ParsedMail, _context: RuleContext) -> Values:
    return (mail.language,) if mail.language else ()


FIELDS: Mapping[str, Reader] = {
    "from": _from,
    "to": _to,
    "cc": _cc,
    "subject": _subject,
    "body": _body,
    "attachment": _attachment,
    "queue": _queue,
    "kind": _kind,
    "language": _language,
}
# Besides FIELDS there is `header`: the condition's field is then `header:` and the header's name.
HEADER = "header:"
# Fields in which plain text may stand anywhere; in the others it must be the whole value.
TEXT_FIELDS = frozenset({"subject", "body"})


# --- actions: what a rule does -----------------------------------------------------------

Doer = Callable[[Values, str], tuple[Effect, ...]]


def _set(name: str) -> Doer:
    def act(values: Values, because: str) -> tuple[Effect, ...]:
        return (SetField(field=name, value=values[-1], because=because),)

    return act


def _assign(values: Values, because: str) -> tuple[Effect, ...]:
    name = "assignee" if "@" in values[-1] else "group"
    return (SetField(field=name, value=values[-1], because=because),)


def _tag(values: Values, because: str) -> tuple[Effect, ...]:
    return tuple(AddTag(tag=tag, because=because) for tag in values)


def _copy(values: Values, because: str) -> tuple[Effect, ...]:
    return tuple(AddParticipant(address=Address(addr=a), added_by=because) for a in values)


ACTIONS: Mapping[str, Doer] = {
    "category": _set("category"),
    "priority": _set("priority"),
    "status": _set("status"),
    "assign": _assign,
    "tag": _tag,
    "cc": _copy,
}
# Besides ACTIONS there is `ignore`: the mail makes no ticket; its value is the reason.
IGNORE = "ignore"
# Actions of which a ticket can bear several; of the others the last one counts.
MANY = frozenset({"tag", "cc"})


# --- evaluation --------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def compiled(expression: str) -> regex.Pattern[str]:
    """A pattern ready for use. Raises regex.error when it is none."""
    return regex.compile(expression, regex.IGNORECASE | regex.VERSION0)


@dataclass(slots=True)
class _Run:
    """One evaluation while it goes on."""

    mail: ParsedMail
    context: RuleContext
    steps: list[Step] = field(default_factory=list)
    wanted: dict[str, tuple[Effect, ...]] = field(default_factory=dict)
    timeouts: int = 0

    def note(self, rule: Rule, verdict: str, reason: str) -> None:
        self.steps.append(
            Step(step="rules", verdict=verdict, reason=f"{rule.where} {rule.name}: {reason}")
        )


def evaluate(mail: ParsedMail, context: RuleContext, rules: tuple[Rule, ...]) -> RuleResult:
    """Apply the rules to one mail.

    A later rule that matches overrides the same field of an earlier one; tags and CC add up. A
    pattern that runs out of time marks its rule failed, and the mail goes on to the next.
    """
    run = _Run(mail, context)
    for rule in rules:
        if run.timeouts >= MAX_TIMEOUTS:
            run.note(rule, "failed (timeout)", "not looked at, earlier patterns took all the time")
            break
        if not _matches(run, rule):
            continue
        reason = next((a.values[-1] for a in rule.then if a.name == IGNORE), None)
        if reason is not None:
            return RuleResult(ignore=reason, steps=tuple(run.steps))
        _act(run, rule)
        if rule.stop:
            break
    effects = tuple(effect for slot in run.wanted.values() for effect in slot)
    return RuleResult(effects=effects, steps=tuple(run.steps))


def _matches(run: _Run, rule: Rule) -> bool:
    if rule.on != "any" and (rule.on == "new") != run.context.is_new:
        run.note(rule, "no match", "only for new mail" if rule.on == "new" else "only for replies")
        return False
    try:
        matched, reason = _judge(run, rule)
    except TimeoutError:
        run.timeouts += 1
        run.note(rule, "failed (timeout)", f"a pattern took more than {MATCH_SECONDS} s")
        return False
    run.note(rule, "matched" if matched else "no match", reason)
    return matched


def _judge(run: _Run, rule: Rule) -> tuple[bool, str]:
    """Whether all of `when` and none of `unless` hold, and why. Raises TimeoutError."""
    reasons = []
    for condition in rule.when:
        hit = _hit(run, condition)
        if hit is None:
            return False, f"{condition.field} did not match"
        reasons.append(f"{condition.field} matched {hit.written!r}")
    for condition in rule.unless:
        hit = _hit(run, condition)
        if hit is not None:
            return False, f"unless: {condition.field} matched {hit.written!r}"
    return True, ", ".join(reasons) or "always"


def _hit(run: _Run, condition: Condition) -> Pattern | None:
    """The first pattern of a condition that one of the field's values matches."""
    name = condition.field
    if name.startswith(HEADER):
        values = run.mail.headers.get(name.removeprefix(HEADER), ())
    else:
        values = FIELDS[name](run.mail, run.context)
    for pattern in condition.patterns:
        search = compiled(pattern.regex).search
        for value in values:
            if search(value[:MATCH_CHARACTERS], timeout=MATCH_SECONDS):
                return pattern
    return None


def _act(run: _Run, rule: Rule) -> None:
    because = f"{rule.where} {rule.name}"
    for action in rule.then:
        effects = ACTIONS[action.name](action.values, because)
        kept = run.wanted.get(action.name, ()) if action.name in MANY else ()
        new = tuple(e for e in effects if not _known(e, kept))
        others = sum(len(v) for k, v in run.wanted.items() if k != action.name)
        room = MAX_EFFECTS - others - len(kept)
        if len(new) > room:
            run.note(rule, "cut", f"{action.name}: a mail has at most {MAX_EFFECTS} effects")
        run.wanted[action.name] = (*kept, *new[: max(room, 0)])


def _known(effect: Effect, kept: tuple[Effect, ...]) -> bool:
    """Whether an equal tag or address is there already, whichever rule put it."""
    match effect:
        case AddTag(tag=tag):
            return any(isinstance(e, AddTag) and e.tag == tag for e in kept)
        case AddParticipant(address=address):
            known = {e.address.addr.lower() for e in kept if isinstance(e, AddParticipant)}
            return address.addr.lower() in known
        case _:
            return False
