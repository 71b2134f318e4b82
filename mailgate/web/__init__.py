"""The read-only pages for people and machines that watch: status, health, numbers, metrics.

Nobody logs in here, so nothing here is private: counts, ages, ticket numbers, and never a subject,
a name, an address or a word of anybody's mail. But for files: whoever has the link in an agent's
notice has the file that it leads to.
"""

from __future__ import annotations

from mailgate.web.app import make_app
from mailgate.web.server import WebServer

__all__ = ["WebServer", "make_app"]
