"""Which rules a mail matches, what they do, and what they leave in the trace."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailgate.core.decision import AddParticipant, AddTag, Effect, SetField
from mailgate.core.mail import Address, Attachment, Kind, ParsedMail
from mailgate.core.policy import Action, Condition, Pattern, Rule
from mailgate.core.rules import (
    ACTIONS,
    FIELDS,
    MATCH_CHARACTERS,
    MAX_EFFECTS,
    MAX_TIMEOUTS,
    RuleContext,
    evaluate,
)

NEW = RuleContext(queue="support", is_new=True)
REPLY = RuleContext(queue="support", is_new=False)
MAIL = ParsedMail(
    digest="0" * 64,
    size=100,
    message_id="<m@example.com>",
    sender=Address(addr="Carla@acme.test"),
    from_=(Address(addr="Carla@acme.test"),),
    to=(Address(addr="support@example.org"), Address(addr="sales@example.org")),
    cc=(Address(addr="dave@acme.test"),),
    subject="Invoice 17: la Facture",
    headers={"x-priority": ("3", "1 (highest)")},
    language="fr",
    text="the new words\n> the quoted words",
    visible="the new words",
    attachments=(
        Attachment(
            part=1, filename="Scan.PDF", content_type="application/pdf", size=9, digest="1" * 64
        ),
    ),
)


def when(field: str, *regexes: str) -> Condition:
    return Condition(field=field, patterns=tuple(Pattern(written=r, regex=r) for r in regexes))


def rule(*conditions: Condition, name: str = "r", **then: str) -> Rule:
    actions = tuple(Action(name=key, values=(value,)) for key, value in then.items())
    return Rule(name=name, where="rules.yaml:3", when=conditions, then=actions)


def whole(text: str) -> str:
    return rf"\A{text}\Z"


@pytest.mark.parametrize(
    ("condition", "context", "matches"),
    [
        pytest.param(when("subject", "invoice"), NEW, True, id="a part, without regard to case"),
        pytest.param(when("subject", "bill", "facture"), NEW, True, id="any of a list"),
        pytest.param(when("subject", r"\bfact\b"), NEW, False, id="a word that is not there"),
        pytest.param(when("from", whole(r".*@acme\.test")), NEW, True, id="sender's domain"),
        pytest.param(when("from", whole(r"carla")), NEW, False, id="part of the sender"),
        pytest.param(when("to", whole("sales@example.org")), NEW, True, id="second recipient"),
        pytest.param(when("cc", whole("dave@acme.test")), NEW, True, id="copy"),
        pytest.param(when("header:x-priority", "^1"), NEW, True, id="second header of a name"),
        pytest.param(when("header:x-spam", ""), NEW, False, id="header that is not there"),
        pytest.param(when("attachment", whole(r".*\.pdf")), NEW, True, id="file name"),
        pytest.param(when("attachment", whole("application/pdf")), NEW, True, id="content type"),
        pytest.param(when("queue", whole("SUPPORT")), NEW, True, id="queue"),
        pytest.param(when("kind", whole("normal")), NEW, True, id="kind"),
        pytest.param(when("kind", whole("list")), NEW, False, id="another kind"),
        pytest.param(when("language", whole("fr")), NEW, True, id="language"),
        pytest.param(when("body", "quoted words"), NEW, True, id="a new mail's whole text"),
        pytest.param(when("body", "quoted words"), REPLY, False, id="a reply's new words only"),
        pytest.param(when("body", "new words"), REPLY, True, id="a reply's new words"),
    ],
)
def test_conditions(condition: Condition, context: RuleContext, matches: bool) -> None:
    one = replace(rule(condition, tag="hit"), on="any")
    assert bool(evaluate(MAIL, context, (one,)).effects) is matches


def test_every_field_has_a_value_in_the_sample() -> None:
    assert all(read(MAIL, NEW) for read in FIELDS.values())


def test_a_mail_without_author_or_language_matches_nothing_there() -> None:
    bare = replace(MAIL, sender=None, from_=(), language="")
    for field in ("from", "language"):
        assert evaluate(bare, NEW, (rule(when(field, ""), tag="hit"),)).effects == ()


def test_all_of_when_and_none_of_unless() -> None:
    both = rule(when("subject", "invoice"), when("queue", "support"), tag="hit")
    assert evaluate(MAIL, NEW, (both,)).effects
    assert not evaluate(MAIL, replace(NEW, queue="sales"), (both,)).effects
    quiet = replace(both, unless=(when("kind", "list"), when("kind", "auto_reply")))
    assert evaluate(MAIL, NEW, (quiet,)).effects
    assert not evaluate(MAIL, replace(NEW, kind=Kind.AUTO_REPLY), (quiet,)).effects


@pytest.mark.parametrize(
    ("on", "new", "reply"), [("new", True, False), ("reply", False, True), ("any", True, True)]
)
def test_on(on: str, new: bool, reply: bool) -> None:
    one = replace(rule(tag="hit"), on=on)
    assert bool(evaluate(MAIL, NEW, (one,)).effects) is new
    assert bool(evaluate(MAIL, REPLY, (one,)).effects) is reply


BECAUSE = "rules.yaml:3 r"


@pytest.mark.parametrize(
    ("name", "value", "effect"),
    [
        ("category", "billing", SetField(field="category", value="billing", because=BECAUSE)),
        ("priority", "high", SetField(field="priority", value="high", because=BECAUSE)),
        ("status", "open", SetField(field="status", value="open", because=BECAUSE)),
        ("assign", "a@b.test", SetField(field="assignee", value="a@b.test", because=BECAUSE)),
        ("assign", "billing", SetField(field="group", value="billing", because=BECAUSE)),
        ("tag", "money", AddTag(tag="money", because=BECAUSE)),
        ("cc", "b@b.test", AddParticipant(address=Address(addr="b@b.test"), added_by=BECAUSE)),
    ],
)
def test_actions(name: str, value: str, effect: Effect) -> None:
    assert evaluate(MAIL, NEW, (rule(**{name: value}),)).effects == (effect,)


def test_the_table_above_has_every_action() -> None:
    assert set(ACTIONS) == {"category", "priority", "status", "assign", "tag", "cc"}


def test_the_last_rule_wins_a_field_and_tags_add_up() -> None:
    rules = (
        rule(name="one", priority="low", assign="ana@example.org", tag="a", cc="B@b.test"),
        rule(name="two", priority="high", assign="billing", tag="b", cc="b@b.test"),
        rule(name="three", tag="a"),
    )
    effects = evaluate(MAIL, NEW, rules).effects
    fields = {e.field: (e.value, e.because) for e in effects if isinstance(e, SetField)}
    assert fields == {
        "priority": ("high", "rules.yaml:3 two"),
        "group": ("billing", "rules.yaml:3 two"),
    }
    assert [e.tag for e in effects if isinstance(e, AddTag)] == ["a", "b"]
    assert [e.address.addr for e in effects if isinstance(e, AddParticipant)] == ["B@b.test"]


def test_stop_ends_the_list_only_when_it_matched() -> None:
    stopping = replace(rule(when("subject", "invoice"), tag="one"), stop=True)
    missing = replace(rule(when("subject", "nothing"), tag="none"), stop=True)
    result = evaluate(MAIL, NEW, (missing, stopping, rule(tag="two")))
    assert [e.tag for e in result.effects if isinstance(e, AddTag)] == ["one"]
    assert len(result.steps) == 2


def test_ignore_takes_back_every_effect_and_ends_the_list() -> None:
    result = evaluate(MAIL, NEW, (rule(tag="a"), rule(ignore="report"), rule(tag="b")))
    assert (result.effects, result.ignore, len(result.steps)) == ((), "report", 2)


def test_every_rule_leaves_a_step_that_says_why() -> None:
    rules = (
        rule(when("subject", "invoice"), when("queue", "support"), name="a", tag="x"),
        rule(when("from", "nobody"), name="b", tag="x"),
        replace(rule(name="c", tag="x"), unless=(when("language", "fr"),)),
        replace(rule(name="d", tag="x"), on="reply"),
        rule(name="e", tag="x"),
    )
    steps = evaluate(MAIL, NEW, rules).steps
    assert {step.step for step in steps} == {"rules"}
    assert [(step.verdict, step.reason) for step in steps] == [
        ("matched", "rules.yaml:3 a: subject matched 'invoice', queue matched 'support'"),
        ("no match", "rules.yaml:3 b: from did not match"),
        ("no match", "rules.yaml:3 c: unless: language matched 'fr'"),
        ("no match", "rules.yaml:3 d: only for replies"),
        ("matched", "rules.yaml:3 e: always"),
    ]
    (reply,) = evaluate(MAIL, REPLY, rules[:1]).steps
    assert reply.reason == "rules.yaml:3 a: only for new mail"


def test_a_pattern_that_takes_for_ever_fails_its_rule_and_the_mail_goes_on() -> None:
    mail = replace(MAIL, text="a" * 50_000 + "!")
    rules = (rule(when("body", "(a+)+$"), name="slow", tag="x"), rule(name="next", tag="y"))
    result = evaluate(mail, NEW, rules)
    assert [e.tag for e in result.effects if isinstance(e, AddTag)] == ["y"]
    assert [s.verdict for s in result.steps] == ["failed (timeout)", "matched"]
    assert result.steps[0].reason == "rules.yaml:3 slow: a pattern took more than 0.1 s"


def test_slow_patterns_cannot_add_up() -> None:
    mail = replace(MAIL, text="a" * 50_000 + "!")
    slow = rule(when("body", "(a+)+$"), tag="x")
    result = evaluate(mail, NEW, (slow,) * 100)
    assert [s.verdict for s in result.steps] == ["failed (timeout)"] * (MAX_TIMEOUTS + 1)
    assert result.steps[-1].reason.endswith("earlier patterns took all the time")


def test_only_the_beginning_of_a_huge_text_is_looked_at() -> None:
    one = rule(when("body", "needle"), tag="hit")
    near = replace(MAIL, text=" " * (MATCH_CHARACTERS - 6) + "needle")
    far = replace(MAIL, text=" " * (MATCH_CHARACTERS - 5) + "needle")
    assert evaluate(near, NEW, (one,)).effects
    assert not evaluate(far, NEW, (one,)).effects


def test_a_mail_has_at_most_so_many_effects() -> None:
    many = tuple(rule(name=f"r{n}", tag=f"t{n}") for n in range(MAX_EFFECTS + 5))
    result = evaluate(MAIL, NEW, (rule(priority="high"), *many, rule(priority="low")))
    assert len(result.effects) == MAX_EFFECTS
    assert [e.value for e in result.effects if isinstance(e, SetField)] == ["low"]
    cut = [step.reason for step in result.steps if step.verdict == "cut"]
    assert len(cut) == 6
    assert cut[0] == f"rules.yaml:3 r{MAX_EFFECTS - 1}: tag: a mail has at most 20 effects"


def test_a_field_that_no_longer_fits_is_cut_not_half_set() -> None:
    many = tuple(rule(name=f"r{n}", tag=f"t{n}") for n in range(MAX_EFFECTS))
    result = evaluate(MAIL, NEW, (*many, rule(priority="high")))
    assert len(result.effects) == MAX_EFFECTS
    assert not any(isinstance(e, SetField) for e in result.effects)


def test_the_same_mail_gives_the_same_result() -> None:
    rules = (rule(when("subject", "invoice"), tag="a"), rule(cc="x@b.test", priority="low"))
    assert evaluate(MAIL, NEW, rules) == evaluate(MAIL, NEW, rules)
