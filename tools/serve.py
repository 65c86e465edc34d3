#!/usr/bin/env python3
"""Serve the built book on this machine: compressed, with right types, never to other machines.

    python tools/serve.py                  # _build/html, at the first free port from 8000
    python tools/serve.py --port 8123 --folder _build/html

Wrong addresses get the book's own page for them (404.html), as on GitHub Pages.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from contextlib import contextmanager
from functools import lru_cache
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".ipynb": "application/x-ipynb+json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".xml": "application/xml",
    ".woff2": "font/woff2",
    ".png": "image/png",
}
COMPRESSED = {".html", ".css", ".js", ".json", ".ipynb", ".svg", ".txt", ".md", ".xml"}


@lru_cache(maxsize=256)
def _zipped(path: str, changed: float) -> bytes:
    return gzip.compress(Path(path).read_bytes(), 9)


class Handler(SimpleHTTPRequestHandler):
    """Files of one folder, gzip where it helps."""

    protocol_version = "HTTP/1.1"
    folder = ROOT / "_build" / "html"

    def do_GET(self) -> None:
        """Answer with a file, or with 404.html."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Answer with the headers alone."""
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        path = self._find()
        status = HTTPStatus.OK
        if path is None:
            status, path = HTTPStatus.NOT_FOUND, self.folder / "404.html"
        if not path.is_file():
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        zipped = path.suffix in COMPRESSED and "gzip" in self.headers.get("Accept-Encoding", "")
        data = _zipped(str(path), path.stat().st_mtime) if zipped else path.read_bytes()
        self.send_response(status)
        self.send_header("Content-Type", TYPES.get(path.suffix, "application/octet-stream"))
        if zipped:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-cache")
        self.end_headers()
        if body:
            self.wfile.write(data)

    def _find(self) -> Path | None:
        wanted = unquote(urlsplit(self.path).path).lstrip("/")
        path = (self.folder / wanted).resolve()
        if not path.is_relative_to(self.folder):
            return None
        if path.is_dir():
            path = path / "index.html"
        return path if path.is_file() else None

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet: the address is all that a reader needs."""


def make_server(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """A server for a folder on the loopback address; port 0 lets the system choose.

    Raises
    ------
    FileNotFoundError
        If the folder holds no built site.
    OSError
        If the port is taken.
    """
    folder = folder.resolve()
    if not (folder / "index.html").is_file():
        raise FileNotFoundError(f"there is no built book in {folder}; run `make book` first")
    handler = type("BookHandler", (Handler,), {"folder": folder})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    return server


@contextmanager
def serving(folder: Path):
    """Serve a folder while the block runs; gives the address, without a slash at its end."""
    server = make_server(folder)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def first_free(folder: Path, first: int) -> ThreadingHTTPServer:
    """A server at the first free port from ``first`` on, or at any free one if twenty in a row are taken."""
    for port in range(first, first + 20):
        try:
            return make_server(folder, port)
        except FileNotFoundError:
            raise
        except OSError:
            continue
    return make_server(folder)


def main() -> int:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="Serve the built book on this machine.")
    parser.add_argument("--port", type=int, default=8000, help="the first port to try")
    parser.add_argument("--folder", type=Path, default=ROOT / "_build" / "html")
    options = parser.parse_args()
    try:
        server = first_free(options.folder, options.port)
    except FileNotFoundError as error:
        sys.exit(str(error))
    print(f"The book is at http://127.0.0.1:{server.server_address[1]}/  (Ctrl+C to stop)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
