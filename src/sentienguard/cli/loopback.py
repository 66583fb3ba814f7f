"""Wait on loopback for one request of a browser: a code or a no, with the state that we gave out.

Called by provider_login. Other programs and other people's pages can reach loopback too, so
whatever has another state, path or host is answered 404 and changes nothing.
"""

import base64
import hashlib
import hmac
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qs, urlsplit

CODE: Final = re.compile(r"[a-z2-7]{4}(?:-[a-z2-7]{4}){3}")
REFUSED: Final = "access_denied"  # RFC 6749's word for a no
PATIENCE_S: Final = 5.0  # with one connection that says nothing
STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 36rem; margin: 3rem auto; padding: 0 1rem; }
"""
PAGE: Final = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>SentienGuard</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{STYLE}</style></head><body><main><h1>Back to the terminal</h1>
<p>It has your answer and says what became of it. You can close this page.</p></main>
</body></html>"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Listener:
    """Listens on 127.0.0.1 while the block lasts."""

    def __init__(self, state: str) -> None:
        """Wait for the code that comes with this state."""
        self._state = state
        self._code = ""
        self._came = threading.Event()
        handler = type("_OurHandler", (_Handler,), {"listener": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def wait(self, limit_s: float) -> str | None:
        """Return the code, empty where the person said no; None: nothing came."""
        return self._code if self._came.wait(limit_s) else None

    def take(self, host: str, path: str) -> bool:
        """Take a request if it is the one; the first that is counts."""
        try:
            parts = urlsplit(path)
            said = parse_qs(parts.query, max_num_fields=8)
        except ValueError:
            return False
        state, code = (said.get(name, [""])[0] for name in ("state", "code"))
        ours = hmac.compare_digest(state.encode("utf-8", "replace"), self._state.encode())
        here = host == f"127.0.0.1:{self.port}" and parts.path == "/"
        refused = not code and said.get("error") == [REFUSED]
        if not (ours and here and (refused or CODE.fullmatch(code))):
            return False
        if not self._came.is_set():
            self._code = code
            self._came.set()
        return True


class _Handler(BaseHTTPRequestHandler):
    listener: Listener
    timeout = PATIENCE_S
    server_version = "sentienguard"
    sys_version = ""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing: the terminal belongs to the person."""

    def do_GET(self) -> None:
        """Answer a browser."""
        taken = self.listener.take(self.headers.get("Host", ""), self.path)
        body = PAGE.encode() if taken else b"There is nothing here.\n"
        self.send_response(200 if taken else 404)
        kind = _HEADERS if taken else {**_HEADERS, "Content-Type": "text/plain"}
        for name, value in kind.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
