"""A time-stamp authority made with `openssl ts`, served over HTTP on loopback."""

import contextlib
import http.server
import subprocess
import threading

CONFIGURATION = """
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[tsa_certificate]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,{usage}
[tsa]
default_tsa = here
[here]
serial = {home}/serial
crypto_device = builtin
signer_cert = {home}/tsa.pem
certs = {home}/ca.pem
signer_key = {home}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = {ess}
"""


def run(*argv, **more):
    return subprocess.run(["openssl", *map(str, argv)], check=True, capture_output=True, **more)


class Authority:
    """The keys, certificates and the signing of one authority."""

    def __init__(self, home, *, usage="timeStamping", ess="sha256", key="ec"):
        home.mkdir()
        self.home = home
        self.asked = 0
        self.answers = None  # a function of the request's bytes, in the place of the right answer
        config = home / "openssl.cnf"
        config.write_text(CONFIGURATION.format(home=home, usage=usage, ess=ess))
        (home / "serial").write_text("01\n")
        new = ["-newkey", "rsa:2048"]
        if key == "ec":
            new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        common = ["-nodes", "-config", config, "-days", "30"]
        run(
            *("req", "-x509", *new, *common, "-subj", "/CN=Test CA", "-extensions", "ca"),
            *("-keyout", home / "ca.key", "-out", home / "ca.pem"),
        )
        run(
            *("req", "-new", *new, "-nodes", "-config", config, "-subj", "/CN=Test TSA"),
            *("-keyout", home / "tsa.key", "-out", home / "tsa.csr"),
        )
        run(
            *("x509", "-req", "-in", home / "tsa.csr", "-CA", home / "ca.pem"),
            *("-CAkey", home / "ca.key", "-CAcreateserial", "-days", "30", "-extfile", config),
            *("-extensions", "tsa_certificate", "-out", home / "tsa.pem"),
        )

    @property
    def ca(self):
        return (self.home / "ca.pem").read_bytes()

    def reply(self, request):
        self.asked += 1
        if self.answers is not None:
            return self.answers(request)
        (self.home / "request.tsq").write_bytes(request)
        run(
            *("ts", "-reply", "-config", self.home / "openssl.cnf", "-section", "here"),
            *("-queryfile", self.home / "request.tsq", "-out", self.home / "reply.tsr"),
        )
        return (self.home / "reply.tsr").read_bytes()


@contextlib.contextmanager
def served(authority):
    """Yield the address of an authority."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            good = self.headers["content-type"] == "application/timestamp-query"
            reply = authority.reply(body) if good else b""
            self.send_response(200 if good else 400)
            self.send_header("content-type", "application/timestamp-reply")
            self.send_header("content-length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tsr"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
