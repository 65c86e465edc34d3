"""Serve the built site on this machine only, as a plain web server would, its own 404 page included."""

from __future__ import annotations

import argparse
import errno
import functools
import http.server
from pathlib import Path

SITE = Path(__file__).resolve().parent.parent / "_build" / "html"
TRIES = 20


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of the site; a missing one gets the book's 404 page."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer an error, with the site's page where there is one."""
        page = SITE / "404.html"
        if code != http.HTTPStatus.NOT_FOUND or not page.exists():
            super().send_error(code, message, explain)
            return
        body = page.read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the terminal quiet; the address is what the reader looks for."""


def listen(port: int) -> http.server.ThreadingHTTPServer:
    """Open the first free port from ``port`` on, on the loopback address."""
    for number in range(port, port + TRIES):
        try:
            return http.server.ThreadingHTTPServer(
                ("127.0.0.1", number), functools.partial(Handler, directory=str(SITE))
            )
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise SystemExit(
        f"Ports {port} to {port + TRIES - 1} are all in use. Choose another: make serve PORT=9000"
    )


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="the first port to try")
    arguments = parser.parse_args()
    if not (SITE / "index.html").exists():
        raise SystemExit("The site is not built yet: run `make book`.")
    server = listen(arguments.port)
    print(f"The book is at http://127.0.0.1:{server.server_address[1]}/   (stop with Ctrl-C)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
    finally:
        server.server_close()


if __name__ == "__main__":
    main()
