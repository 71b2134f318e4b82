"""An OAuth 2.0 token endpoint on loopback that answers as told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs

Form = dict[str, str]
Answer = tuple[int, dict[str, object] | bytes]


class TokenEndpoint:
    """`answer` maps the form of a request to a status and a JSON object (or raw bytes)."""

    def __init__(self, answer: Callable[[Form], Answer]) -> None:
        self.answer = answer
        self.forms: list[Form] = []
        self.hang = threading.Event()  # clear: requests wait
        self.hang.set()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            """One POST."""

            def do_POST(self) -> None:
                """Answer the form."""
                octets = self.rfile.read(int(self.headers["Content-Length"]))
                form = {key: values[0] for key, values in parse_qs(octets.decode()).items()}
                endpoint.forms.append(form)
                endpoint.hang.wait()
                status, answer = endpoint.answer(form)
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                if status in (301, 302, 307):
                    self.send_header("Location", endpoint.url)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    return  # the client lost patience, as some tests want

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hang.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
