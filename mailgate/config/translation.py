"""pydantic's errors in the words of an operator: which line, which key, what to write."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mailgate.config.positions import Loc, key_of, line_of
from mailgate.config.problems import Problem, nearest

_EXAMPLES = {
    "address": '"support@example.org"',
    "domain": '"example.org"',
    "host": '"mail.example.org"',
    "username": '"support"',
    "listen": '"127.0.0.1:2525"',
}
# pydantic's error type -> (message, remedy)
_WORDS: Mapping[str, tuple[str, str]] = {
    "string_type": ("is not text", 'write it in quotes: "..."'),
    "int_type": ("is not a whole number", "write a number without quotes"),
    "float_type": ("is not a number", "write a number without quotes"),
    "bool_type": ("is neither true nor false", "write true or false, without quotes"),
    "tuple_type": ("is not a list", 'write a list: ["...", "..."]'),
    "mapping_type": ("is not a table", "write it as a [table] of its own"),
    "dict_type": ("is not a table", "write it as a [table] of its own"),
    "model_type": ("is not a table", "write it as a [table] of its own"),
    "date_type": ("is not a date", "write one like 2026-12-25"),
    "date_from_datetime_parsing": ("is not a date", "write one like 2026-12-25"),
    "date_from_datetime_inexact": ("is not a date", "write one like 2026-12-25"),
    "date_parsing": ("is not a date", "write one like 2026-12-25"),
}


def _models(annotation: Any) -> typing.Iterator[type[BaseModel]]:
    """The section classes inside an annotation such as `tuple[SmtpSection, ...]`."""
    inner = typing.get_args(annotation)
    if not inner and isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in inner:
        yield from _models(part)


def model_at(model: type[BaseModel], loc: Loc) -> type[BaseModel]:
    """The section class that a path into the configuration ends in."""
    for part in loc:
        field = model.model_fields.get(part) if isinstance(part, str) else None
        model = next(_models(field.annotation), model) if field else model
    return model


def _bracketed(loc: Loc, type_: str) -> tuple[str, str] | None:
    """A section written with the wrong number of brackets."""
    if type_ == "tuple_type" and len(loc) == 1:
        return "is written as one section, but there may be several", f"write [[{loc[0]}]]"
    if type_ in ("model_type", "model_attributes_type") and len(loc) == 1:
        return "is not a section", f"write [{loc[0]}], with one bracket"
    return None


def _missing(loc: Loc) -> tuple[str, str]:
    if len(loc) == 1:
        return "is missing", f'write [{loc[0]}] with domain = "example.org"'
    return "is missing", f"write {loc[-1]} = {_EXAMPLES.get(str(loc[-1]), '...')}"


def _bounds(error: ErrorDetails) -> tuple[str, str] | None:
    context = error.get("ctx", {})
    signs = {"ge": "at least", "le": "at most", "gt": "more than", "lt": "less than"}
    for name, words in signs.items():
        if name in context:
            return "is out of range", f"write {words} {context[name]}"
    if error["type"] == "literal_error":
        return "is not one of the possible values", f"write {context['expected']}"
    if error["type"] == "string_pattern_mismatch":
        return _pattern(str(error["loc"][-1]), error["loc"])
    return None


def _pattern(name: str, loc: Loc) -> tuple[str, str]:
    if name == "language":
        return "is not a language code", 'write two letters, like "en"'
    if loc[0] == "sla":
        return "is no span of a day", 'write one like "09:00-17:00"'
    tag = "subject_tag" if "subject_tag" in loc else "old_tags"
    return f"is no {tag}", "write up to 20 letters, digits, - or _, without brackets or #"


def said(model: type[BaseModel], error: ErrorDetails) -> tuple[str, str]:
    """Message and remedy for one of pydantic's errors."""
    loc, kind = error["loc"], error["type"]
    if kind == "mailgate":
        return error["ctx"]["said"], error["ctx"]["remedy"]
    if kind == "extra_forbidden":
        return "is no key that mailgate knows", nearest(
            str(loc[-1]), model_at(model, loc[:-1]).model_fields
        )
    if kind == "missing":
        return _missing(loc)
    general = error["msg"].lower(), "see docs/configuration.md"
    return _bracketed(loc, kind) or _bounds(error) or _WORDS.get(kind) or general


def problems(
    file: str, model: type[BaseModel], error: ValidationError, found: Mapping[Loc, int]
) -> list[Problem]:
    """One Problem per error, with the line where its key, or the section it lacks in, stands."""
    collected = []
    for detail in error.errors(include_url=False, include_input=False):
        if detail["type"] == "default_factory_not_called":
            continue  # only says that another key of the section has been refused
        # pydantic marks a refused key of a table by a last part that is no key.
        loc = detail["loc"][:-1] if detail["loc"][-1:] == ("[key]",) else detail["loc"]
        message, remedy = said(model, detail)
        collected.append(
            Problem(
                file=file,
                line=line_of(found, loc),
                key=key_of(loc),
                message=message,
                remedy=remedy,
            )
        )
    return collected
