"""A server with the part of HashiCorp Vault's HTTP API that reads secrets (KV 1 and 2)."""

import contextlib
import http.server
import json
import threading


class Vault:
    """What is kept, who may read it, and what was asked."""

    def __init__(self, token, kept):
        self.token = token
        self.kept = kept  # path -> object
        self.asked = []
        self.status = None  # answered in the place of the right one


@contextlib.contextmanager
def served(vault):
    """Yield the address of a server."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.removeprefix("/v1/")
            vault.asked.append(path)
            found, status = vault.kept.get(path), 200
            if self.headers["x-vault-token"] != vault.token:
                found, status = {"errors": ["permission denied"]}, 403
            elif found is None:
                found, status = {"errors": []}, 404
            body = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(vault.status or status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
