"""Google Secret Manager and Azure Key Vault, and what hands out their tokens, by their protocols.

One server on loopback stands for all of them. It answers a request that has the documented form,
path, headers and body, and refuses every other as the service would; what was wrong is in `wrong`.
"""

import base64
import contextlib
import http.server
import json
import threading
import urllib.parse

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

TOKEN = "ya29.token-made-up-for-tests"
ACCOUNT = "sentienguard@shop-production.iam.gserviceaccount.com"
TENANT, CLIENT, CLIENT_SECRET = "11111111-2222", "33333333-4444", "client-secret~made-up"
RESOURCE = "https://vault.azure.net"
GOOGLE_IDENTITY = "/computeMetadata/v1/instance/service-accounts/default/token"
AZURE_IDENTITY = "/metadata/identity/oauth2/token"


class Managers:
    """What they have, and what they were asked."""

    def __init__(self, kept, public_key=None):
        self.kept = kept  # path without query -> text of the secret
        self.public_key = public_key  # of the service account
        self.asked, self.wrong = [], []
        self.status, self.location = None, ""  # of every answer, where a test says so
        self.now = 0  # seconds that an assertion has to be of
        self.url = ""


@contextlib.contextmanager
def running(managers):
    """Serve them; their address is in `managers.url`."""
    handler = type("Bound", (Handler,), {"managers": managers})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    managers.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield managers
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class Handler(http.server.BaseHTTPRequestHandler):
    managers: Managers

    def do_GET(self):
        self._answer("GET", b"")

    def do_POST(self):
        self._answer("POST", self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, method, body):
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        self.managers.asked.append(f"{method} {self.path}")
        if self.managers.status is not None:
            self._say(self.managers.status, {"error": TOKEN})
            return
        told = self._told(method, parts.path, query, dict(urllib.parse.parse_qsl(body.decode())))
        self._say(*told)

    def _told(self, method, path, query, form):
        if path == GOOGLE_IDENTITY:
            proper = method == "GET" and self.headers["Metadata-Flavor"] == "Google"
            return self._token(proper and not query, 403)
        if path == AZURE_IDENTITY:
            known = query.pop("client_id", CLIENT) == CLIENT
            proper = query == {"api-version": "2018-02-01", "resource": RESOURCE}
            return self._token(known and proper and self.headers["Metadata"] == "true", 400)
        if path == "/token":
            return self._token(method == "POST" and self._asserted(form), 400)
        if path == f"/{TENANT}/oauth2/v2.0/token":
            proper = form == {
                "grant_type": "client_credentials", "client_id": CLIENT,
                "client_secret": CLIENT_SECRET, "scope": f"{RESOURCE}/.default",
            }  # fmt: skip
            return self._token(method == "POST" and proper, 401)
        return self._secret(method, path, query)

    def _secret(self, method, path, query):
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self._refuse(401, "no token")
        kept = self.managers.kept.get(path)
        if kept is None:
            return 404, {"error": {"code": 404}}
        if path.startswith("/v1/"):
            if method != "GET" or query:
                return self._refuse(400, "form")
            data = base64.b64encode(kept if isinstance(kept, bytes) else kept.encode()).decode()
            return 200, {"name": path, "payload": {"data": data, "dataCrc32c": "1"}}
        if method != "GET" or query != {"api-version": "7.4"}:
            return self._refuse(400, "api-version")
        return 200, {"value": kept, "id": path, "attributes": {"enabled": True}}

    def _asserted(self, form):
        if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return False
        head, claims, signature = form["assertion"].split(".")
        key = serialization.load_pem_public_key(self.managers.public_key)
        signed = f"{head}.{claims}".encode()
        key.verify(_bytes(signature), signed, padding.PKCS1v15(), hashes.SHA256())
        said = json.loads(_bytes(claims))
        now = self.managers.now
        return json.loads(_bytes(head))["alg"] == "RS256" and said == {
            "iss": ACCOUNT, "scope": "https://www.googleapis.com/auth/cloud-platform",
            "aud": f"{self.managers.url}/token", "iat": now, "exp": now + 300,
        }  # fmt: skip

    def _token(self, proper, otherwise):
        if not proper:
            return self._refuse(otherwise, "token")
        return 200, {"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"}

    def _refuse(self, status, why):
        self.managers.wrong.append(f"{why}: {self.path}")
        return status, {"error": why}

    def _say(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        if self.managers.location:
            self.send_header("Location", self.managers.location)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def _bytes(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
