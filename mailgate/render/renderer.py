"""Notices in words: which template in which language, and what stands in where one is broken."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mailgate.core.decision import Notice
from mailgate.render.samples import MARK, SAMPLES
from mailgate.render.sandbox import Sandbox, TemplateFailure, environment, render

FALLBACK = "en"

_Words = Mapping[str, Mapping[str, str]]  # section -> key -> word


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A notice in words. `failures` tells which templates had to be passed over."""

    subject: str
    text: str
    html: str
    language: str  # the one it is really in
    failures: tuple[TemplateFailure, ...] = ()


class Renderer:
    """Renders notices and pages from `template_dirs`, the operator's first, the shipped ones last.

    Each folder holds `<language>/<notice>.txt.j2`, `<language>/<notice>.html.j2`,
    `<language>/words.toml` and files shared by all languages, or any subset of these.
    """

    def __init__(self, template_dirs: Sequence[Path]) -> None:
        self._dirs = tuple(Path(folder).resolve() for folder in template_dirs)
        self._env = environment(self._dirs)
        # Where the operator's own file is broken, the shipped one still says the right thing.
        self._shipped = environment(self._dirs[-1:])
        self._words: dict[tuple[tuple[Path, ...], str], _Words] = {}
        whole = [n for n in self._folders() if all(self._find(file) for file in _files(n))]
        self._languages = tuple(sorted(whole, key=lambda name: (name != FALLBACK, name)))

    def languages(self) -> tuple[str, ...]:
        """ISO 639-1 codes of the folders that hold every notice, English first."""
        return self._languages

    def notice(self, language: str, notice_name: str, context: Mapping[str, object]) -> Rendered:
        """Render a notice; the first line of the text template is its subject.

        A language that is not among `languages` is English. A template that fails is passed over
        for the shipped one, then for English; the result says so in `failures`. Raises
        TemplateFailure when all of them fail.
        """
        failures: list[TemplateFailure] = []
        known = language if language in self._languages else FALLBACK
        for candidate in dict.fromkeys((known, FALLBACK)):
            for env in (self._env, self._shipped):
                try:
                    done = self._notice(env, candidate, notice_name, context)
                except TemplateFailure as failure:
                    failures.append(failure)
                    continue
                subject, text, html = done
                return Rendered(
                    subject=subject,
                    text=text,
                    html=html,
                    language=candidate,
                    failures=tuple(failures),
                )
        raise failures[0]

    def page(self, name: str, context: Mapping[str, object]) -> str:
        """Render any other template of these folders. Raises TemplateFailure."""
        return render(self._env, name, context)

    def check(self) -> tuple[TemplateFailure, ...]:
        """Render every notice in every language with sample data; what is wrong, and where."""
        found = [*self._incomplete()]
        for language in self.languages():
            for notice in Notice:
                for sample in SAMPLES.values():
                    found += self._problems(language, notice.value, sample)
        return tuple({str(problem): problem for problem in found}.values())

    def _incomplete(self) -> Iterator[TemplateFailure]:
        """A folder with some notices but not all: its language is not used."""
        for language in sorted(self._folders() - set(self.languages())):
            held = [file for file in _files(language) if self._find(file)]
            for file in set(_files(language)) - set(held) if held else ():
                yield TemplateFailure(file, 0, f"missing, so `{language}` is not used at all")

    def _folders(self) -> set[str]:
        return {sub.name for folder in self._dirs for sub in folder.glob("*/") if sub.is_dir()}

    def _problems(
        self, language: str, name: str, sample: Mapping[str, object]
    ) -> Iterator[TemplateFailure]:
        file = str(self._find(f"{language}/{name}.txt.j2"))
        page = str(self._find(f"{language}/{name}.html.j2"))
        try:
            subject, text, html = self._notice(self._env, language, name, sample)
        except TemplateFailure as failure:
            yield failure
            return
        if not subject and sample["subject"]:
            yield TemplateFailure(file, 1, "the subject (the first line) is empty")
        if not text.strip() and sample["message"]:
            yield TemplateFailure(file, 2, "the text is empty")
        if MARK in html:
            yield TemplateFailure(page, 1, "a value is written without escaping (|safe?)")

    def _notice(
        self, env: Sandbox, language: str, name: str, context: Mapping[str, object]
    ) -> tuple[str, str, str]:
        values = {**context, "language": language, "word": self._speaker(env, language)}
        text = render(env, f"{language}/{name}.txt.j2", values)
        subject, _, body = text.partition("\n")
        html = render(env, f"{language}/{name}.html.j2", {**values, "title": subject.strip()})
        return subject.strip(), body.strip("\n") + "\n", html

    def _speaker(self, env: Sandbox, language: str) -> Callable[[str, str], str]:
        """The templates' `word(section, key)`: a custom status or priority speaks for itself."""
        dirs = self._dirs if env is self._env else self._dirs[-1:]
        words, plain = self._words_of(dirs, language), self._words_of(dirs, FALLBACK)

        def word(section: str, key: str) -> str:
            return words.get(section, {}).get(key) or plain.get(section, {}).get(key) or key

        return word

    def _words_of(self, dirs: tuple[Path, ...], language: str) -> _Words:
        if (dirs, language) not in self._words:
            self._words[dirs, language] = self._read_words(dirs, language)
        return self._words[dirs, language]

    def _read_words(self, dirs: tuple[Path, ...], language: str) -> _Words:
        merged: dict[str, dict[str, str]] = {}
        for folder in reversed(dirs):
            path = folder / language / "words.toml"
            if not path.is_file():
                continue
            try:
                tables = tomllib.loads(path.read_text("utf-8"))
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise TemplateFailure(str(path), 0, str(error)) from error
            for section, pairs in tables.items():
                if not isinstance(pairs, dict):
                    raise TemplateFailure(str(path), 0, f"`{section}` must be a table")
                merged.setdefault(section, {}).update({k: str(v) for k, v in pairs.items()})
        return merged

    def _find(self, name: str) -> Path | None:
        return next((d / name for d in self._dirs if (d / name).is_file()), None)


def _files(language: str) -> tuple[str, ...]:
    kinds = (".txt.j2", ".html.j2")
    return tuple(f"{language}/{notice.value}{kind}" for notice in Notice for kind in kinds)
