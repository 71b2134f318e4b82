"""The one door to jinja2, bleach and nh3: templates to words, a stranger's HTML to safe HTML.

Template folders are searched in the order given, file by file, so an operator may replace one
notice and keep the rest. Values are never compiled, the environment is sandboxed and strict, and
every rendering has a budget of steps and of output, so a broken template fails instead of hanging.
"""

from __future__ import annotations

from markupsafe import Markup

from mailgate.render.html import MAX_HTML, PLAIN_OPEN, plain_text, safe_html
from mailgate.render.newest import before_quote, fitted, newest
from mailgate.render.renderer import FALLBACK, Rendered, Renderer
from mailgate.render.samples import SAMPLES
from mailgate.render.sandbox import TemplateFailure

__all__ = [
    "FALLBACK",
    "MAX_HTML",
    "PLAIN_OPEN",
    "SAMPLES",
    "Markup",
    "Rendered",
    "Renderer",
    "TemplateFailure",
    "before_quote",
    "fitted",
    "newest",
    "plain_text",
    "safe_html",
]
