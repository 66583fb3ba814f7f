"""A service that refuses everything and repeats, in its refusal, all that it was told.

Some real ones do so with the key in a request; what asks them may keep none of it.
"""

import contextlib
import http.server
import json
import threading


class Echoing:
    """What came: path, headers and body of each request as one text."""

    def __init__(self):
        self.heard = []
        self.url = ""

    def told(self, text):
        """Tell whether some request had this in it."""
        return any(text in one for one in list(self.heard))


def repeated(told):
    """Repeat it as it came."""
    return json.dumps({"error": told}).encode()


def slack_says(told):
    """Refuse as Slack does, with status 200 and a code that repeats the token.

    Twice: as it came, and with each character written as an escape, which only a reader of JSON
    takes for the same.
    """
    token = told[0]
    escaped = "".join(f"\\u{ord(one):04x}" for one in token)
    return f'{{"ok": false, "error": "not_{token} {escaped}"}}'.encode()


@contextlib.contextmanager
def running(status=403, location="", answers=repeated):
    """Serve it; `answers` makes the body of what came: Authorization, path, body."""
    made = Echoing()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
            said = [self.path, *(f"{name}: {value}" for name, value in self.headers.items())]
            made.heard.append("\n".join([*said, body]))
            told = [self.headers.get("Authorization", ""), self.path, body]  # the telling first
            answer = answers(told)
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST  # noqa: N815 - the library's names

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
