"""YAML as nodes with positions: nothing is constructed, so no tag can run and no alias explode.

Scalars are taken as the text that was written, so the key `on` stays `on` although YAML 1.1 reads
it as true.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from mailgate.config.problems import ConfigError, Problem, nearest

MAX_OCTETS = 1_000_000
MAX_DEPTH = 50
MAX_REFUSED = 50  # problems of this kind that are worth telling
_BOOL = "tag:yaml.org,2002:bool"
_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True)
class Place:
    """A node and the way to it, e.g. `rules.0.when.subject`."""

    node: Node
    key: str = ""

    def inner(self, node: Node, name: str | int) -> Place:
        """The place of a node below this one."""
        return Place(node, f"{self.key}.{name}" if self.key else str(name))

    @property
    def line(self) -> int:
        """From 1."""
        return int(self.node.start_mark.line) + 1


@dataclass(slots=True)
class Report:
    """Collects the mistakes of one file."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    def add(self, place: Place, message: str, remedy: str) -> None:
        """Note a mistake at the start of a node."""
        self.problems.append(
            Problem(
                file=self.file,
                line=place.line,
                column=int(place.node.start_mark.column) + 1,
                key=place.key,
                message=message,
                remedy=remedy,
            )
        )

    def mapping(self, place: Place, known: frozenset[str] | None = None) -> dict[str, Place]:
        """The values of a mapping by key; unknown and repeated keys are noted."""
        if not isinstance(place.node, MappingNode):
            self.add(place, "is not a mapping", "write `key: value` lines, indented below it")
            return {}
        found: dict[str, Place] = {}
        for key_node, value_node in place.node.value:
            name = str(key_node.value) if isinstance(key_node, ScalarNode) else ""
            at = place.inner(key_node, name)
            if not name:
                self.add(place.inner(key_node, "?"), "this key is not a word", "write a word")
            elif known is not None and name not in known:
                self.add(at, "is no key that mailgate knows", nearest(name, known))
            elif name in found:
                message = f"stands here a second time, first on line {found[name].line}"
                self.add(at, message, "write it once, with a list of values")
            else:
                found[name] = place.inner(value_node, name)
        return found

    def items(self, place: Place) -> list[Place]:
        """The elements of a list; anything else stands for a list of one."""
        if isinstance(place.node, SequenceNode):
            return [place.inner(node, at) for at, node in enumerate(place.node.value)]
        return [place]

    def text(self, place: Place) -> str | None:
        """A scalar as it was written, or None after noting why it is no text."""
        node = place.node
        if not isinstance(node, ScalarNode):
            self.add(place, "is not text", "write one value")
        elif node.tag == _BOOL:
            message = f"{node.value} without quotes is YAML for true or false"
            self.add(place, message, f'write "{node.value}" in quotes')
        elif node.tag == _NULL or not node.value.strip():
            self.add(place, "is empty", "write a value or remove the key")
        else:
            return str(node.value)
        return None

    def texts(self, place: Place) -> list[tuple[Place, str]]:
        """A value or a list of values."""
        items = self.items(place)
        if not items:
            self.add(place, "is empty", "write a value or remove the key")
        pairs = [(item, self.text(item)) for item in items]
        return [(item, text) for item, text in pairs if text is not None]

    def flag(self, place: Place) -> bool:
        """true or false."""
        if isinstance(place.node, ScalarNode) and place.node.tag == _BOOL:
            return str(place.node.value).lower() in ("true", "yes", "on")
        self.add(place, "is neither true nor false", "write true or false")
        return False


def is_null(place: Place) -> bool:
    """Whether nothing is written there."""
    return isinstance(place.node, ScalarNode) and place.node.tag == _NULL


def root(path: Path) -> Place | None:
    """The top of a YAML file; None when it holds nothing but comments.

    Raises ConfigError when it cannot be read (line 0) or is not plain YAML: at most 1 MB, nested
    no deeper than 50, one document, no aliases, no tags.
    """
    text = _read(path)
    try:
        problems = list(islice(_refused(str(path), text), MAX_REFUSED))
        node = None if problems else yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        problems = [_syntax(str(path), error)]
    if problems:
        raise ConfigError(problems)
    return Place(node) if node is not None else None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            octets = file.read(MAX_OCTETS + 1)
        if len(octets) <= MAX_OCTETS:
            return octets.decode("utf-8-sig")
        message, remedy = "is larger than 1 MB", "split or shorten it"
    except OSError as error:
        message, remedy = f"cannot be read: {error.strerror}", "check the path and its permissions"
    except UnicodeDecodeError as error:
        message, remedy = f"is not UTF-8 (octet {error.start})", "save it as UTF-8"
    raise ConfigError([Problem(file=str(path), message=message, remedy=remedy)])


def _refused(file: str, text: str) -> Iterator[Problem]:
    """What YAML allows and we do not. Raises yaml.YAMLError on bad syntax."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        said = _objection(event, depth)
        if said:
            mark = event.start_mark
            yield Problem(
                file=file,
                line=mark.line + 1 if mark else 1,
                column=mark.column + 1 if mark else None,
                message=said[0],
                remedy=said[1],
            )
        if depth > MAX_DEPTH:
            return


def _objection(event: yaml.Event, depth: int) -> tuple[str, str] | None:
    if depth > MAX_DEPTH:
        return f"is nested more than {MAX_DEPTH} deep", "write it flat"
    if isinstance(event, yaml.AliasEvent):
        return f"the alias *{event.anchor} is not taken", "write the value out, or quote the *"
    tag = getattr(event, "tag", None)
    # "!" is the non-specific tag: it means no more than quotes do.
    if tag not in (None, "!"):
        return f"the tag {tag} is not taken", "remove it, or quote the !"
    return None


def _syntax(file: str, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    tab = "\\t" in str(said)
    return Problem(
        file=file,
        line=mark.line + 1 if mark else 1,
        column=mark.column + 1 if mark else None,
        message=f"is not YAML: {said}",
        remedy="indent with spaces, not tabs" if tab else "check indentation, colons and quotes",
    )
