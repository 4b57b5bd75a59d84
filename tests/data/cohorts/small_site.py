"""A web server on this machine, with the faults that real ones have."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock


@dataclass
class Site:
    """What is served and how.

    Attributes:
        files: contents by name.
        address: of the folder they are in.
        ranges: whether parts of a file can be asked for.
        honest: whether the whole file is sent when it is another one than If-Range names.
        validators: "etag", "weak", "date" or nothing: what tells versions apart.
        cuts: after so many bytes the connection breaks off, one for each answer to come.
        stalls: where a connection breaks off, wait until the client is gone.
        answers: status codes of the answers to come, instead of the file.
        asked: the Range header of every request, and "" for none.
    """

    files: dict[str, bytes]
    address: str = ""
    ranges: bool = True
    honest: bool = True
    validators: str = "etag"
    cuts: list[int] = field(default_factory=list)
    stalls: bool = False
    answers: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def validator(self, body: bytes) -> dict[str, str]:
        """Headers that tell this version of a file from others."""
        mark = hashlib.md5(body).hexdigest()
        headers = {"etag": {"ETag": f'"{mark}"'}, "weak": {"ETag": f'W/"{mark}"'}, "date": {"Last-Modified": f"day {mark}"}}
        return headers.get(self.validators, {})


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    """Serve a site and tell its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            pass

        def do_GET(self) -> None:
            _answer(self, site)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site.address = f"http://127.0.0.1:{server.server_port}/IXI"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        with mock.patch.dict(os.environ, no_proxy="127.0.0.1"):  # a proxy of the machine's knows nothing of this server
            yield site
    finally:
        site.released.set()
        server.shutdown()
        server.server_close()


def _answer(request: BaseHTTPRequestHandler, site: Site) -> None:
    site.asked.append(request.headers.get("Range", ""))
    body = site.files.get(request.path.rsplit("/", 1)[-1])
    status = site.answers.pop(0) if site.answers else 404 if body is None else 200
    if status >= 400:
        request.send_error(status)
        return
    start, marks = 0, site.validator(body)
    if site.asked[-1] and site.ranges:
        same = request.headers.get("If-Range") in (None, *marks.values()) or not site.honest
        start = int(site.asked[-1].removeprefix("bytes=").removesuffix("-")) if same else 0
    if start >= len(body) > 0:
        request.send_error(416)
        return
    request.send_response(206 if start else 200)
    for key, value in marks.items():
        request.send_header(key, value)
    if start:
        request.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
    request.send_header("Content-Length", str(len(body) - start))
    request.end_headers()
    cut = site.cuts.pop(0) if site.cuts else None
    request.wfile.write(body[start:] if cut is None else body[start : start + cut])
    request.wfile.flush()
    if cut is not None:
        if site.stalls:
            site.released.wait(30)
        request.close_connection = True
        request.connection.close()
