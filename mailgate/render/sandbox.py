"""The jinja2 environment: sandboxed, strict, without names that surprise, and with a budget.

jinja2's own sandbox keeps templates from reaching out; it does not keep them from running for
ever. So every loop round, call and include takes a step from a budget, and output is capped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from traceback import walk_tb

from jinja2 import FileSystemLoader, StrictUndefined, TemplateNotFound, TemplateSyntaxError
from jinja2 import nodes as ast
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

MAX_OUTPUT = 1_000_000  # characters of one rendered file
MAX_STEPS = 50_000  # loop rounds, calls and includes of one rendered file
_MAX_PRODUCT = 100_000  # characters or items that `*` may make

# Names that make much out of little, or something else each time.
_NO_FILTERS = ("center", "format", "pprint", "random", "urlize", "wordwrap", "xmlattr")
_NO_METHODS = frozenset(("center", "expandtabs", "format", "format_map", "ljust", "rjust", "zfill"))


class TemplateFailure(Exception):
    """A template could not be rendered. `line` is 0 where no line is to blame."""

    def __init__(self, file: str, line: int, message: str) -> None:
        super().__init__(f"{file}:{line}: {message}")
        self.file = file
        self.line = line
        self.message = message


_left: ContextVar[int] = ContextVar("steps left", default=MAX_STEPS)


def _step() -> None:
    left = _left.get() - 1
    if left < 0:
        raise SecurityError(f"more than {MAX_STEPS} steps: an endless loop?")
    _left.set(left)


def _paced(items: Iterable[object]) -> Iterator[object]:
    for item in items:
        _step()
        yield item


class _PacedCode(CodeGenerator):
    """Compiles every `for` so that each round counts; an empty loop writes nothing to be capped."""

    def visit_Template(self, node: ast.Template, frame: Frame | None = None) -> None:
        for loop in node.find_all(ast.For):
            loop.iter = ast.Filter(loop.iter, "_paced", [], [], None, None, lineno=loop.lineno)
            loop.iter.set_environment(self.environment)
        super().visit_Template(node, frame)


class Sandbox(ImmutableSandboxedEnvironment):
    """jinja2's sandbox with a budget of steps, and without what makes much out of little."""

    code_generator_class = _PacedCode
    intercepted_binops = frozenset({"*", "**", "%"})

    def call(self, context: Context, obj: object, /, *args: object, **kw: object) -> object:
        """Costs a step."""
        _step()
        return super().call(context, obj, *args, **kw)

    def join_path(self, template: str, parent: str) -> str:
        """An include costs a step."""
        _step()
        return super().join_path(template, parent)

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        """As the sandbox says, less the methods that multiply text."""
        return attr not in _NO_METHODS and super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        """Refuses `**`, `%` on text, and products of many items. Raises SecurityError."""
        sized = [value for value in (left, right) if isinstance(value, str | list | tuple)]
        times = [value for value in (left, right) if isinstance(value, int)]
        if operator == "**" or (operator == "%" and sized):
            raise SecurityError(f"`{operator}` is not available here")
        if sized and times and len(sized[0]) * times[0] > _MAX_PRODUCT:
            raise SecurityError(f"`*` would make more than {_MAX_PRODUCT} items")
        return super().call_binop(context, operator, left, right)


def _lines(text: str) -> Markup:
    """Plain text as HTML: escaped, line ends and indentation kept."""
    wide = (line.expandtabs(4).replace("  ", "\u00a0 ") for line in text.split("\n"))
    return Markup("<br>\n").join(wide)


def environment(folders: Sequence[Path]) -> Sandbox:
    """The environment of these template folders, the first one first."""
    env = Sandbox(
        loader=FileSystemLoader([str(folder) for folder in folders]),
        undefined=StrictUndefined,
        autoescape=lambda name: bool(name) and str(name).endswith(".html.j2"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,  # what `check` has seen is what is used until the next reload
    )
    env.globals = {"range": env.globals["range"]}  # the sandbox's own: it has a limit
    for name in _NO_FILTERS:
        del env.filters[name]
    env.filters["_paced"] = _paced
    env.filters["lines"] = _lines
    return env


def _failure(file: str, error: Exception) -> TemplateFailure:
    """Where in which template an exception arose; jinja2 puts template frames into tracebacks."""
    if isinstance(error, TemplateSyntaxError):
        return TemplateFailure(error.filename or file, error.lineno, error.message or "syntax")
    frames = [(f.f_code.co_filename, line) for f, line in walk_tb(error.__traceback__)]
    place, line = next((at for at in reversed(frames) if at[0].endswith(".j2")), (file, 0))
    what = str(error)
    if isinstance(error, TemplateNotFound):
        what = f"no such template: {error}"
    elif isinstance(error, RecursionError):
        what = "endless recursion"
    return TemplateFailure(place, line, what or type(error).__name__)


def render(env: Sandbox, name: str, context: Mapping[str, object]) -> str:
    """Render a template within its budget of steps and output. Raises TemplateFailure."""
    token = _left.set(MAX_STEPS)
    chunks: list[str] = []
    size = 0
    file = name
    try:
        template = env.get_template(name)
        file = template.filename or name
        for chunk in template.generate(context):
            size += len(chunk)
            if size > MAX_OUTPUT:
                raise SecurityError(f"more than {MAX_OUTPUT} characters of output")
            chunks.append(chunk)
    except Exception as error:  # a template can raise anything Python can
        raise _failure(file, error) from error
    finally:
        _left.reset(token)
    return "".join(chunks)
