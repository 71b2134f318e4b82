"""Templates: what overrides what, what stands in when one breaks, and what none of them can do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mailgate import journal
from mailgate.compose import compose
from mailgate.core.decision import Notice
from mailgate.core.people import Author
from mailgate.render import SAMPLES, Renderer, TemplateFailure
from tests.shell.notice_rig import CONTEXT, POLICY, RENDERER, TEMPLATES, TICKET, content, read

PLAIN = SAMPLES["plain"]
Own = Callable[..., Renderer]


@pytest.fixture
def own(tmp_path: Path) -> Own:
    """A renderer whose operator has put these files over the shipped ones."""

    def make(**files: str) -> Renderer:
        for name, text in files.items():
            language, _, rest = name.partition("_")
            path = tmp_path / language / rest.replace("__", "-").replace("_", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        return Renderer([tmp_path, TEMPLATES])

    return make


def test_one_file_is_replaced_and_the_rest_stays(own: Own) -> None:
    done = own(en_confirmation_txt_j2="Mine\nOnly mine.\n").notice("en", "confirmation", PLAIN)
    assert (done.subject, done.text) == ("Mine", "Only mine.\n")
    assert "Thank you for writing" in done.html
    assert done.failures == ()


def test_own_words_are_laid_over_the_shipped_ones(own: Own) -> None:
    renderer = own(en_words_toml='[status]\nopen = "being looked at"\nparked = "on the shelf"\n')
    said = [
        renderer.notice("en", "status", {**PLAIN, "status": status}).text.split("“")[-1]
        for status in ("open", "parked", "resolved")
    ]
    assert [words.partition("”")[0] for words in said] == [
        "being looked at",
        "on the shelf",
        "resolved",
    ]


def test_a_language_counts_when_it_has_every_notice(own: Own, tmp_path: Path) -> None:
    shutil.copytree(TEMPLATES / "en", tmp_path / "nl")
    renderer = own(sv_confirmation_txt_j2="Mottaget\nTack.\n")
    assert renderer.languages() == ("en", "de", "es", "fr", "it", "nl", "pt")
    missing = {problem.file for problem in renderer.check()}
    assert "sv/closure.html.j2" in missing
    assert not [file for file in missing if "nl/" in file]


@pytest.mark.parametrize("language", ["xx", "", "..", "../../etc", "en/../fr"])
def test_unknown_languages_fall_back_to_english(language: str) -> None:
    done = RENDERER.notice(language, "confirmation", PLAIN)
    assert done.language == "en"
    assert done.subject == "We have received your message"
    assert done.failures == ()


def test_a_broken_template_is_passed_over_for_the_shipped_one(own: Own) -> None:
    renderer = own(fr_closure_txt_j2="Sujet\n\n{{ nobody_knows }}\n")
    done = renderer.notice("fr", "closure", PLAIN)
    assert done.language == "fr"
    assert "Nous avons clos" in done.text
    [failure] = done.failures
    assert failure.file.endswith("fr/closure.txt.j2")
    assert failure.line == 3
    assert "nobody_knows" in failure.message


def test_english_stands_in_for_a_language_of_the_operator(own: Own, tmp_path: Path) -> None:
    shutil.copytree(TEMPLATES / "en", tmp_path / "nl")
    renderer = own(nl_answer_html_j2="{% if %}")
    done = renderer.notice("nl", "answer", PLAIN)
    assert done.language == "en"
    assert [failure.line for failure in done.failures] == [1, 0]
    assert renderer.notice("nl", "closure", PLAIN).language == "nl"


def test_compose_reports_what_stood_in(own: Own) -> None:
    before = journal.COUNTS["trouble", "template"]
    renderer = own(en_confirmation_txt_j2="{{ oops }}")
    message = read(compose(Notice.CONFIRMATION, CONTEXT, renderer, POLICY))
    assert message["Subject"] == "[#1042] We have received your message"
    assert journal.COUNTS["trouble", "template"] == before + 1


def test_when_nothing_can_be_rendered_the_failure_is_raised(tmp_path: Path) -> None:
    with pytest.raises(TemplateFailure) as caught:
        Renderer([tmp_path]).notice("en", "closure", PLAIN)
    assert caught.value.file == "en/closure.txt.j2"


def test_words_that_are_no_toml_are_a_failure(own: Own) -> None:
    problems = own(es_words_toml="[status\n", fr_words_toml="status = 3\n").check()
    assert {Path(problem.file).parts[-2] for problem in problems} == {"es", "fr"}
    assert {Path(problem.file).name for problem in problems} == {"words.toml"}


@pytest.mark.parametrize("language", ["en", "fr"])
def test_broken_english_words_do_not_silence_everything(own: Own, language: str) -> None:
    done = own(en_words_toml="[status\n").notice(language, "status", PLAIN)
    assert done.language == language
    assert len(done.failures) == 1


# --- failures at every turn (R5) -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "line", "says"),
    [
        pytest.param("{{ nope }}", 2, "undefined", id="undefined variable"),
        pytest.param("{{ subject.nope }}", 2, "no attribute", id="undefined attribute"),
        pytest.param("x\n{% for a in b %}", 3, "Unexpected end", id="syntax"),
        pytest.param("x\n\n{{ 1 / 0 }}", 4, "division", id="division by zero"),
        pytest.param("{% include 'nope.j2' %}", 2, "no such template", id="missing include"),
        pytest.param("{% include '../../pyproject.toml' %}", 2, "no such template", id="outside"),
        pytest.param("{% include '/etc/passwd' %}", 2, "no such template", id="absolute"),
        pytest.param(
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            2,
            "endless loop",
            id="endless loop that writes nothing",
        ),
        pytest.param(
            "{% for a in 'x' * 99999 %}{% endfor %}", 2, "endless loop", id="loop over text"
        ),
        pytest.param("{% for a in range(10 ** 9) %}{% endfor %}", 2, "`**`", id="power"),
        pytest.param("{% for a in range(1000000) %}{% endfor %}", 2, "Range too big", id="range"),
        pytest.param(
            "{% for a in range(20000) %}{{ message }}{{ message }}{% endfor %}",
            0,
            "characters of output",
            id="100 MB of output",
        ),
        pytest.param("{{ 'x' * 100000000 }}", 2, "`*` would", id="a great product"),
        pytest.param("{{ 'x'.ljust(100000000) }}", 2, "unsafe", id="a wide text"),
        pytest.param("{{ '%0100000000d' % 1 }}", 2, "`%`", id="a wide number"),
        pytest.param(
            "{% macro m(n) %}{{ m(n - 1) ~ m(n - 1) if n }}{% endmacro %}{{ m(40) }}",
            2,
            "endless loop",
            id="a macro that doubles",
        ),
        pytest.param("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", 2, "recursion", id="depth"),
        pytest.param("{{ subject.__class__.__mro__ }}", 2, "unsafe", id="the way to Python"),
        pytest.param("{{ word.__globals__ }}", 2, "unsafe", id="a function's module"),
        pytest.param("{{ namespace(x=1) }}", 2, "undefined", id="no namespace"),
        pytest.param("{{ copies.append(1) }}", 2, "no attribute", id="values are immutable"),
    ],
)
def test_a_bad_template_fails_with_its_place(own: Own, body: str, line: int, says: str) -> None:
    renderer = own(en_closure_txt_j2=f"Subject\n{body}\n")
    [failure] = renderer.notice("en", "closure", PLAIN).failures
    assert failure.file.endswith("en/closure.txt.j2")
    assert failure.line == line
    assert says in failure.message
    assert str(failure) in [str(problem) for problem in renderer.check()]


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("closure_txt_j2", "{{ '' }}\nText\n", "subject"),
        ("closure_txt_j2", "Subject\n\n\n", "text is empty"),
        ("closure_html_j2", "<p>{{ subject | safe }}</p>", "escaping"),
        ("closure_html_j2", "{% autoescape false %}{{ team }}{% endautoescape %}", "escaping"),
    ],
)
def test_check_sees_more_than_crashes(own: Own, name: str, body: str, says: str) -> None:
    [problem] = own(**{f"en_{name}": body}).check()
    assert says in problem.message


def test_one_bad_notice_leaves_the_others_alone(own: Own) -> None:
    renderer = own(en_closure_txt_j2="{% for a in range(99999) %}{% endfor %}")
    assert renderer.notice("en", "closure", PLAIN).failures
    assert not renderer.notice("en", "status", PLAIN).failures
    assert len(renderer.check()) == 1


def test_any_other_template_is_rendered_as_a_page(own: Own) -> None:
    renderer = own(web_page_html_j2="<p>{{ name }}</p>", web_page_txt_j2="{{ name }}")
    assert renderer.page("web/page.html.j2", {"name": "<b>"}) == "<p>&lt;b&gt;</p>"
    assert renderer.page("web/page.txt.j2", {"name": "<b>"}) == "<b>"
    with pytest.raises(TemplateFailure):
        renderer.page("web/page.html.j2", {})


# --- values are never templates (R3), fields never markup (H2) ----------------------------------

INJECTIONS = [
    "{{ cycler.__init__.__globals__ }}",
    "{% for x in range(9) %}{{ x }}{% endfor %}",
    "{{ 7 * 7 }}{# gone? #}",
    "{% raw %}",
    "# for x in y",
]


@pytest.mark.parametrize("value", INJECTIONS)
def test_template_code_in_values_is_only_text(value: str) -> None:
    ctx = replace(
        CONTEXT,
        ticket=replace(TICKET, subject=value, category=value, status=value),
        author=Author(address="{{7*7}}@example.net", name=value),
        message=value,
        note=value,
    )
    message = read(compose(Notice.AGENT_NEW, ctx, RENDERER, POLICY))
    assert message["Subject"] == f"[#1042] [support] {value}"
    assert message["From"].addresses[0].display_name == f"{value} via Support"
    assert content(message, "plain").count(value) == 6
    assert content(message, "html").count(value) >= 6


LISTED = ("subject", "status", "priority", "requester", "assignee", "updated", "due")
WAITING = ("sender", "subject", "date", "size", "reason", "words")


@pytest.mark.parametrize("notice", list(Notice))
def test_markup_in_values_is_only_text(notice: Notice) -> None:
    evil = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>"
    row = dict.fromkeys(LISTED, evil) | {"number": 7}
    mail = dict.fromkeys(WAITING, evil) | {"number": 1, "ticket": 7, "actions": {"drop": evil}}
    ctx = replace(
        CONTEXT,
        ticket=replace(TICKET, subject=evil, category=evil, queue=evil, priority=evil),
        mailbox=replace(CONTEXT.mailbox, name=evil),
        author=Author(address="bob@example.net", name=evil),
        message=evil,
        note=evil,
        new=evil,
        proven=True,
        lists=({"name": "mine", "words": evil, "more": 0, "rows": (row,)},),
        waiting=({"name": "held-mail", "more": 0, "rows": (mail,)},),
    )
    html = content(read(compose(notice, ctx, RENDERER, POLICY)), "html")
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html
