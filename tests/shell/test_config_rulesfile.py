"""rules.yaml: what it becomes, and every mistake and YAML trap by line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailgate.config import Config, ConfigError, HelpdeskSection, load_rules
from mailgate.config.models import AgentSection, MailboxSection, TicketsSection
from mailgate.core.decision import AddTag, SetField
from mailgate.core.mail import Address, Kind, ParsedMail
from mailgate.core.policy import Action, Rule
from mailgate.core.rules import RuleContext, evaluate

CONFIG = Config(
    helpdesk=HelpdeskSection(domain="example.org"),
    mailbox=(MailboxSection(address="support@example.org"),),
    agent=(AgentSection(address="ana@example.org", aliases=("ana@home.test",)),),
    tickets=TicketsSection(categories=("billing", "no"), groups={"night": ("ana@example.org",)}),
)


def rules(folder: Path, text: str, config: Config = CONFIG) -> tuple[Rule, ...]:
    path = folder / "rules.yaml"
    path.write_text(text, encoding="utf-8")
    return load_rules(path, config)


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        rules(folder, text)
    return [str(problem).replace(f"{folder}/", "") for problem in refused.value.problems]


def when(text: str) -> str:
    """A file with one rule that has this condition."""
    return f"rules:\n- when: {{{text}}}\n  then: {{tag: x}}\n"


def then(text: str) -> str:
    """A file with one rule that has this action."""
    return f"rules:\n- when: {{subject: x}}\n  then: {{{text}}}\n"


def test_a_whole_rule(tmp_path: Path) -> None:
    (first, second) = rules(
        tmp_path,
        "# rules\nrules:\n"
        "  - name: invoices\n"
        "    on: any\n"
        "    when: {subject: [invoice, /fact.ra/], header: {X-Priority: 1}}\n"
        "    unless: {kind: [auto_reply, list], queue: 's*'}\n"
        "    then: {category: billing, assign: ANA@home.test, tag: [a, b], cc: x@B.test}\n"
        "    stop: true\n"
        "  - then: {assign: night}\n",
    )
    assert (first.name, first.where, first.on, first.stop) == (
        "invoices",
        "rules.yaml:3",
        "any",
        True,
    )
    assert [c.field for c in first.when] == ["subject", "header:x-priority"]
    assert [p.written for p in first.when[0].patterns] == ["invoice", "/fact.ra/"]
    assert [c.field for c in first.unless] == ["kind", "queue"]
    assert first.then == (
        Action(name="category", values=("billing",)),
        Action(name="assign", values=("ana@example.org",)),
        Action(name="tag", values=("a", "b")),
        Action(name="cc", values=("x@b.test",)),
    )
    assert (second.name, second.on, second.when, second.stop) == ("rule 2", "new", (), False)


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "rules:\n", "rules: []\n", "{}\n"])
def test_no_rules_are_no_mistake(text: str, tmp_path: Path) -> None:
    assert rules(tmp_path, text) == ()
    assert load_rules(None, CONFIG) == ()


@pytest.mark.parametrize(
    ("condition", "matches"),
    [
        ("subject: 'WORK ['", True),
        ("subject: 'work*'", False),
        ("subject: '/wo.k/'", True),
        ("subject: '/etc'", False),
        ("subject: /", True),
        ("from: '*@ACME.example'", True),
        ("from: 'b?b@acme.example'", True),
        ("from: bob", False),
        ("from: '/^bob/'", True),
        ("from: '*.example'", True),
        ("from: 'bob@acmeXexample'", False),
        ("header: {x-list: 'one'}", True),
        ("kind: normal", True),
        ("kind: 'n*'", True),
        ("language: 'e?'", True),
        ("body: straße", True),
    ],
)
def test_patterns_as_written(condition: str, matches: bool, tmp_path: Path) -> None:
    mail = ParsedMail(
        digest="0" * 64,
        size=1,
        message_id="<m@acme.example>",
        sender=Address(addr="bob@acme.example"),
        subject="Network [down] w/o notice",
        headers={"x-list": ("One",)},
        language="en",
        text="auf der STRAßE",
    )
    context = RuleContext(queue="support", is_new=True, kind=Kind.NORMAL)
    result = evaluate(mail, context, rules(tmp_path, when(condition)))
    assert bool(result.effects) is matches


def test_any_word_is_a_category_where_none_are_listed(tmp_path: Path) -> None:
    config = Config(helpdesk=CONFIG.helpdesk, mailbox=CONFIG.mailbox)
    (one,) = rules(tmp_path, then("category: whatever"), config)
    assert one.then == (Action(name="category", values=("whatever",)),)


WRONG = [
    pytest.param("- a\n", ":1:1: is not a mapping; write `key: value` lines", id="a list on top"),
    pytest.param("rule: []\n", ":1:1: rule: is no key that mailgate knows; did you mean 'rules'?"),
    pytest.param("rules: [a]\n", ":1:9: rules.0: is not a mapping", id="a rule is text"),
    pytest.param(
        "rules:\n- name: a\n",
        ":2:3: rules.0: this rule does nothing; write `then:` or `stop: true`",
        id="does nothing",
    ),
    pytest.param("rules:\n- then: {}\n", ":2:9: rules.0.then: is empty; write one of: assign,"),
    pytest.param(
        "rules:\n- then: {ignore: report}\n",
        ":2:9: rules.0.then: this rule would ignore every mail; write `when:`",
        id="ignores everything",
    ),
    pytest.param(
        then("ignore: report, tag: x"),
        ":3:9: rules.0.then: ignore stands alone: an ignored mail has no ticket to change",
        id="ignore with another",
    ),
    pytest.param(
        "rules:\n- {then: {tag: x}, on: nwe}\n",
        ":2:24: rules.0.on: there is no value 'nwe'; did you mean 'new'?",
        id="unknown on",
    ),
    pytest.param(
        "rules:\n- {then: {tag: x}, stop: maybe}\n",
        ":2:26: rules.0.stop: is neither true nor false; write true or false",
        id="stop",
    ),
    pytest.param(when("subjct: a"), ":2:10: rules.0.when.subjct: is no key that mailgate knows;"),
    pytest.param(when("subject: []"), ":2:19: rules.0.when.subject: is empty; write a value"),
    pytest.param(when("subject: "), ":2:18: rules.0.when.subject: is empty; write a value"),
    pytest.param(when("subject: {a: b}"), ":2:19: rules.0.when.subject: is not text; write one"),
    pytest.param(when("header: x"), ":2:18: rules.0.when.header: is not a mapping; write `key:"),
    pytest.param(
        when("subject: /(/"),
        ":2:19: rules.0.when.subject: /(/ is not a regular expression: missing ) at position 1;",
        id="broken expression",
    ),
    pytest.param(when("subject: //"), ":2:19: rules.0.when.subject: // matches everything; remove"),
    pytest.param(
        when(f"subject: {'a' * 1001}"),
        ":2:19: rules.0.when.subject: is longer than 1000 characters; shorten it",
        id="endless pattern",
    ),
    pytest.param(when("kind: bulk"), ":2:16: rules.0.when.kind: there is no kind 'bulk'; write"),
    pytest.param(when("queue: sport"), ":2:17: rules.0.when.queue: there is no queue 'sport'; did"),
    pytest.param(then("delete: x"), ":3:10: rules.0.then.delete: is no key that mailgate knows;"),
    pytest.param(
        then("category: bills"),
        ":3:20: rules.0.then.category: there is no category 'bills'; did you mean 'billing'?",
        id="unknown category",
    ),
    pytest.param(then("status: done"), ":3:18: rules.0.then.status: there is no status 'done';"),
    pytest.param(
        then("priority: [low, high]"),
        ":3:20: rules.0.then.priority: takes one value; remove the list",
        id="two priorities",
    ),
    pytest.param(then("assign: day"), ":3:18: rules.0.then.assign: there is no group 'day'; write"),
    pytest.param(
        then("assign: bob@x.test"),
        ":3:18: rules.0.then.assign: bob@x.test is not an agent; write one of: ana@example.org",
        id="unknown agent",
    ),
    pytest.param(then("cc: boss"), ":3:14: rules.0.then.cc: 'boss' is not a mail address; write"),
    pytest.param(then('tag: "a\\nb"'), ":3:15: rules.0.then.tag: is not one line of plain text;"),
    # YAML's own traps
    pytest.param(
        when("language: no"),
        ':2:20: rules.0.when.language: no without quotes is YAML for true or false; write "no"',
        id="Norway",
    ),
    pytest.param(then("tag: [yes]"), ":3:16: rules.0.then.tag.0: yes without quotes is YAML for"),
    pytest.param(then("tag: ~"), ":3:15: rules.0.then.tag: is empty; write a value", id="null"),
    pytest.param(
        then("tag: a, tag: b"),
        ":3:18: rules.0.then.tag: stands here a second time, first on line 3; write it once",
        id="key twice",
    ),
    pytest.param("rules: []\nrules: []\n", ":2:1: rules: stands here a second time, first on line"),
    pytest.param(
        "rules:\n\t- a\n", ":2:1: is not YAML: found character '\\t' that cannot start any"
    ),
    pytest.param("rules: [\n", ":2:1: is not YAML: expected the node content, but found '<stream"),
    pytest.param("a: 1\n---\nb: 2\n", ":2:1: is not YAML: but found another document; check"),
    pytest.param(
        "rules: !!python/object/apply:os.system ['true']\n",
        ":1:8: the tag tag:yaml.org,2002:python/object/apply:os.system is not taken; remove it,",
        id="python object",
    ),
    pytest.param("rules: !!set {a}\n", ":1:8: the tag tag:yaml.org,2002:set is not taken;"),
    pytest.param("a: &a [1]\nrules: *a\n", ":2:8: the alias *a is not taken; write the value out"),
    pytest.param("rules: &a [*a]\n", ":1:12: the alias *a is not taken; write the value out"),
    pytest.param("rules:\n- from: *@acme\n", ":2:10: is not YAML: expected alphabetic or numeric"),
    pytest.param("? [a]\n: b\n", ":1:3: ?: this key is not a word; write a word", id="list as key"),
    pytest.param("<<: {a: b}\n", ":1:1: <<: is no key that mailgate knows;", id="merge key"),
    pytest.param("[" * 60 + "]" * 60, ":1:51: is nested more than 50 deep; write it flat"),
    pytest.param("rules: \x07\n", ":1: is not YAML: special characters are not allowed; check"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_each_mistake_is_named(text: str, said: str, tmp_path: Path) -> None:
    problems = mistakes(tmp_path, text)
    assert len(problems) == 1
    assert problems[0].startswith(f"rules.yaml{said}")
    assert ";" in problems[0]


def test_an_alias_bomb_is_refused_before_it_grows(tmp_path: Path) -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    problems = mistakes(tmp_path, "\n".join(["a0: &a0 [x]", *levels]))
    assert len(problems) == 50
    assert problems[0].startswith("rules.yaml:2:10: the alias *a0 is not taken")


def test_a_huge_or_foreign_file_is_refused(tmp_path: Path) -> None:
    assert mistakes(tmp_path, "#" * 1_000_001)[0].startswith("rules.yaml: is larger than 1 MB")
    (tmp_path / "latin.yaml").write_bytes(b"rules:\n- name: caf\xe9\n")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load_rules(tmp_path / "latin.yaml", CONFIG)
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load_rules(tmp_path / "none.yaml", CONFIG)


def test_yaml_words_in_quotes_are_words(tmp_path: Path) -> None:
    (one,) = rules(tmp_path, then('tag: ["yes", "~", 010, 1:30, 2026-12-25], category: "no"'))
    assert one.then == (
        Action(name="tag", values=("yes", "~", "010", "1:30", "2026-12-25")),
        Action(name="category", values=("no",)),
    )


def test_a_loaded_rule_tells_where_it_stands(tmp_path: Path) -> None:
    loaded = rules(tmp_path, "rules:\n- name: a\n  then: {tag: x, priority: high}\n")
    mail = ParsedMail(digest="0" * 64, size=1, message_id="<m@acme.example>")
    result = evaluate(mail, RuleContext(queue="support", is_new=True), loaded)
    assert set(result.effects) == {
        AddTag(tag="x", because="rules.yaml:2 a"),
        SetField(field="priority", value="high", because="rules.yaml:2 a"),
    }
