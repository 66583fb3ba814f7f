"""nginx playbooks, and those of certificates, on a real nginx with a master and workers."""

import contextlib
import os
import pathlib
import signal
import ssl
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sentienguard.adapters.local_host import procfs
from tests.servers import nginx, programs
from tests.support import real_kinds, real_playbooks

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(nginx.missing() is not None, reason=str(nginx.missing())),
]
WORKERS = 2
CONFIGURATION = """
user root; daemon off; pid {place}/nginx.pid; error_log {place}/errors; worker_processes 2;
events {{ worker_connections 64; }}
http {{
  access_log {place}/access.log;
  client_body_temp_path {place}/body; proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi; uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
  proxy_cache_path {place}/cache levels=1:2 keys_zone=pages:1m use_temp_path=off;
  server {{
    listen 127.0.0.1:{port};
    location = /cached {{
      proxy_pass http://127.0.0.1:{app}; proxy_cache pages; proxy_cache_valid any 1h;
    }}
    location = /health {{ access_log off; return 200 "well\\n"; }}
    location = /big {{ return 200 "{filler}"; }}
    location / {{ proxy_pass http://127.0.0.1:{app}; }}
  }}
  server {{
    listen 127.0.0.1:{tls} ssl;
    ssl_certificate {place}/web.pem; ssl_certificate_key {place}/web.pem;
  }}
}}
"""
APPLICATION = """
import http.server, pathlib, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ill = pathlib.Path(sys.argv[2]).exists()
        self.send_response(500 if ill else 200)
        self.send_header("Content-Length", "5"); self.end_headers(); self.wfile.write(b"page!")
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
RENEWAL = """
import pathlib, sys
source, target = map(pathlib.Path, sys.argv[1:])
fresh = target.with_name("fresh")
fresh.write_bytes(source.read_bytes())
fresh.replace(target)
"""


def certificate(place, name, days):
    """Make a certificate that begins now."""
    key, file = place / f"{name}.key", place / f"{name}.crt"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    argv += ["-nodes", "-subj", "/CN=web", "-keyout", str(key), "-out", str(file)]
    subprocess.run([*argv, "-days", str(days)], check=True, capture_output=True)
    return file.read_text() + key.read_text()


class Site:
    """An nginx, an application behind it, and the agent beside them."""

    def __init__(self, place, stack, *, health="health"):
        self.place = place
        self.port, self.tls, self.app = (programs.free_port() for _ in range(3))
        self.file = place / "nginx.conf"
        self.good = CONFIGURATION.format(
            place=place, port=self.port, tls=self.tls, app=self.app, filler="x" * 100
        )
        self.file.write_text(self.good)
        place.joinpath("nginx.conf.last-good").write_text(self.good)
        self.old, self.new = certificate(place, "old", 1), certificate(place, "new", 90)
        self.pem = place / "web.pem"
        self.pem.write_text(self.old)
        self.program = programs.found(nginx.NAMES)
        flags = ["-c", str(self.file), "-p", str(place)]
        self.daemon = real_playbooks.Daemon(
            [self.program, *flags],
            place / "nginx",
            health_url=f"http://127.0.0.1:{self.port}/{health}",
            config_file=str(self.file),
        )
        # The wrapper gives nginx the flags that Debian's own configuration does not need.
        self.wrapper = place / "wrapped-nginx"
        self.wrapper.write_text(f'#!/bin/sh\nexec {self.program} {" ".join(flags)} "$@"\n')
        self.wrapper.chmod(0o755)
        self.swap = {"/usr/sbin/nginx": str(self.wrapper)}
        stack.callback(self.daemon.close)
        script = place / "app.py"
        script.write_text(APPLICATION)
        self.application = real_playbooks.Daemon(
            [sys.executable, str(script), str(self.app), str(place / "ill")],
            place / "app",
            health_url=f"http://127.0.0.1:{self.app}/",
        )
        stack.callback(self.application.close)
        renewal, source = place / "renew.py", place / "issued.pem"
        renewal.write_text(RENEWAL)
        source.write_text(self.new)
        self.daemon.start(self.port)
        self.bench = real_playbooks.Bench(
            place,
            services={"nginx": self.daemon.declared, "app": self.application.declared},
            controls={
                "nginx": {
                    "certificate": {
                        "address": f"127.0.0.1:{self.tls}",
                        "file": str(self.pem),
                        "renew": [sys.executable, str(renewal), str(source), str(self.pem)],
                    }
                }
            },
        )
        stack.callback(self.bench.close)

    def get(self, path="/health"):
        url = f"http://127.0.0.1:{self.port}{path}"
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(url, timeout=5, trust_env=False).status_code
        return 0

    def served(self):
        return ssl.get_server_certificate(("127.0.0.1", self.tls), timeout=5).strip()

    def workers(self):
        """Count the workers, also those that end what they began before a reload."""
        below = [one.pid for one in procfs.descendants(self.daemon.pid)]
        told = [pathlib.Path(f"/proc/{pid}/cmdline") for pid in below]
        return sum(one.read_bytes().startswith(b"nginx: worker") for one in told if one.exists())

    def rests(self):
        """Wait for the workers of before a reload: they take connections until they hear of it."""
        until = time.monotonic() + 20
        while self.workers() != WORKERS:
            assert time.monotonic() < until, "the old workers stay"
            time.sleep(0.02)


@pytest.fixture
def site(tmp_path):
    with contextlib.ExitStack() as stack:
        yield Site(tmp_path, stack)


@pytest.fixture
def cached(tmp_path):
    """An nginx that keeps an error in its cache, whose application is well again."""
    with contextlib.ExitStack() as stack:
        site = Site(tmp_path, stack, health="cached")
        ill = tmp_path / "ill"
        ill.touch()
        site.application.start(site.app)
        assert site.get("/cached") == 500
        ill.unlink()
        assert site.get("/cached") == 500
        yield site


def cache_files(site):
    kept = ".sentienguard-kept-"
    found = (one.relative_to(site.place / "cache") for one in site.place.glob("cache/**/*"))
    return sorted(str(one) for one in found if kept not in str(one) and "." not in one.name
                  and (site.place / "cache" / one).is_file())  # fmt: skip


def fill_cache(site, count):
    """Put in what looks like pages, in directories as nginx names them."""
    for number in range(count):
        name = f"{number:032x}"
        directory = site.place / "cache" / name[-1] / name[-3:-1]
        directory.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(b"x")


@real_kinds.runs(
    "step service.stop",
    "step service.start",
    "step fs.quarantine",
    "check command",
    "check http",
    "check process",
    "check maintenance",
    "check concurrency_check",
)
@pytest.mark.parametrize("pages", [0, 2_300])
def test_an_error_that_is_kept_in_the_cache_goes_with_all_of_it(cached, pages):
    fill_cache(cached, pages)
    assert len(cache_files(cached)) == pages + 1
    swap = {**cached.swap, "/var/cache/nginx": str(cached.place / "cache")}
    cached.bench.heals("nginx_cache_reset", service="nginx", swap=swap)
    assert cached.get("/cached") == 200
    assert len(cache_files(cached)) == 1, "only what was asked for since"


@pytest.mark.timeout(180)
def test_a_cache_that_is_too_big_goes_back_whole_and_nginx_serves_as_before(cached):
    fill_cache(cached, 5_001)
    before = cache_files(cached)
    swap = {**cached.swap, "/var/cache/nginx": str(cached.place / "cache")}
    ended = cached.bench.give("nginx_cache_reset", service="nginx", swap=swap)
    assert (ended["outcome"], ended["left_behind"]) == ("ROLLED_BACK", [])
    assert "more than 1000 files" in ended["reason"]
    assert cache_files(cached) == before
    assert cached.get("/health") == 200
    assert cached.get("/cached") == 500


def test_a_full_cache_of_an_nginx_that_answers_is_left_alone(site):
    swap = {**site.swap, "/var/cache/nginx": str(site.place / "cache")}
    fill_cache(site, 50)
    site.bench.leaves_alone("nginx_cache_reset", service="nginx", swap=swap)
    assert len(cache_files(site)) == 50


@real_kinds.runs("step ssh_command")
def test_a_deleted_log_is_reopened_and_nothing_restarts(site):
    master = site.daemon.pid
    (site.place / "access.log").unlink()
    for _ in range(40):
        assert site.get("/big") == 200
    small = {**site.swap, "1MB": "1KB"}
    site.bench.heals("nginx_reopen_logs", service="nginx", swap=small)
    site.get("/big")
    programs.wait_for(lambda: (site.place / "access.log").stat().st_size, "the new log")
    assert site.daemon.process.poll() is None
    assert site.daemon.pid == master


def test_a_log_that_nobody_removed_is_left_alone(site):
    for _ in range(40):
        site.get("/big")
    small = {**site.swap, "1MB": "1KB"}
    site.bench.leaves_alone("nginx_reopen_logs", service="nginx", swap=small)


@real_kinds.runs("step fs.use_backup", "step service.reload")
def test_a_broken_configuration_goes_back_to_the_last_good_one(site):
    site.file.write_text(site.good.replace("worker_processes 2", "worker_proceses 2"))
    assert site.get() == 200  # it runs on with what it read before
    site.bench.heals("nginx_config_restore", service="nginx", swap=site.swap)
    assert site.file.read_text() == site.good
    assert (site.get(), site.daemon.process.poll()) == (200, None)


def test_a_good_change_of_the_configuration_stays(site):
    changed = site.good.replace("worker_connections 64", "worker_connections 128")
    site.file.write_text(changed)
    site.bench.leaves_alone("nginx_config_restore", service="nginx", swap=site.swap)
    assert site.file.read_text() == changed


def test_a_copy_that_is_no_better_brings_the_broken_file_back(site):
    broken = site.good.replace("worker_processes 2", "worker_proceses 2")
    site.file.write_text(broken)
    (site.place / "nginx.conf.last-good").write_text("events { oops }")
    ended = site.bench.give("nginx_config_restore", service="nginx", swap=site.swap)
    assert (ended["outcome"], ended["left_behind"]) == ("ROLLED_BACK", [])
    assert site.file.read_text() == broken
    assert site.get() == 200


@real_kinds.runs("step service.end_leftovers", "check condition")
def test_orphaned_workers_are_ended_and_nginx_starts(site):
    master = site.daemon.pid
    stranger = subprocess.Popen(["/bin/sleep", "60"])
    try:
        os.kill(master, signal.SIGKILL)
        site.daemon.process.wait()
        time.sleep(0.2)
        assert programs.listens(site.port)  # the orphans hold it
        site.bench.heals("nginx_orphans_replace", service="nginx", swap=site.swap)
        assert (site.get(), site.daemon.pid != master) == (200, True)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_an_nginx_that_was_stopped_stays_stopped(site):
    os.kill(site.daemon.pid, signal.SIGTERM)
    site.daemon.process.wait()
    site.bench.leaves_alone("nginx_orphans_replace", service="nginx", swap=site.swap)
    assert not programs.listens(site.port)


def test_orphans_keep_serving_while_the_configuration_is_broken(site):
    site.file.write_text("oops")
    os.kill(site.daemon.pid, signal.SIGKILL)
    site.daemon.process.wait()
    site.bench.leaves_alone("nginx_orphans_replace", service="nginx", swap=site.swap)
    assert site.get() == 200
    os.killpg(site.daemon.process_id(), signal.SIGKILL)


def test_a_changed_address_of_the_application_is_taken_up_by_a_reload(tmp_path):
    with contextlib.ExitStack() as stack:
        site = Site(tmp_path, stack, health="page")
        moved = real_playbooks.Daemon(
            [*site.application.argv[:2], str(programs.free_port()), str(tmp_path / "ill")],
            tmp_path / "moved",
        )
        stack.callback(moved.close)
        moved.start(int(moved.argv[2]))
        site.file.write_text(site.good.replace(f":{site.app}", f":{moved.argv[2]}"))
        master = site.daemon.pid
        assert site.get("/page") == 502
        site.bench.heals("nginx_config_reload", service="nginx", swap=site.swap)
        assert site.get("/page") == 200
        assert site.daemon.pid == master


def test_an_nginx_whose_new_settings_are_broken_is_not_reloaded(tmp_path):
    with contextlib.ExitStack() as stack:
        site = Site(tmp_path, stack, health="page")
        site.file.write_text(site.good + "unknown_directive on;\n")
        site.bench.leaves_alone("nginx_config_reload", service="nginx", swap=site.swap)
        assert site.get() == 200


def test_a_502_is_healed_by_starting_the_application(site):
    master = site.daemon.pid
    assert site.get("/") == 502
    site.bench.heals("nginx_upstream_start", service="app")
    assert site.get("/") == 200
    assert (site.daemon.pid, site.daemon.process.poll()) == (master, None)


def test_an_application_that_runs_is_left_alone(site):
    pid = site.application.start(site.app)
    site.bench.leaves_alone("nginx_upstream_start", service="app")
    assert site.application.pid == pid


def test_a_renewed_certificate_is_served_after_a_reload(site):
    site.pem.write_text(site.new)
    assert site.served() in site.old
    site.bench.heals("certificate_reload_stale", service="nginx", rests=site.rests)
    assert site.served() in site.new
    assert site.daemon.process.poll() is None


def test_a_certificate_that_is_served_is_left_alone(site):
    site.bench.leaves_alone("certificate_reload_stale", service="nginx")


def test_a_file_that_is_about_to_end_is_not_brought_into_service(site):
    site.pem.write_text(site.new)
    spent = {"certificate_spent < 95%": "certificate_spent < 0%"}
    site.bench.leaves_alone("certificate_reload_stale", service="nginx", swap=spent)
    assert site.served() in site.old


@real_kinds.runs("step certificate.renew")
def test_a_certificate_is_renewed_as_declared_and_served(site):
    site.pem.write_text(backdated())
    subprocess.run([str(site.wrapper), "-s", "reload"], check=True)
    site.bench.heals("certificate_renew", service="nginx", rests=site.rests)
    assert site.pem.read_text() == site.new
    assert site.served() in site.new
    assert site.daemon.process.poll() is None


def test_a_certificate_in_the_middle_of_its_life_is_not_renewed(site):
    site.pem.write_text(site.new)
    site.bench.leaves_alone("certificate_renew", service="nginx")
    assert site.pem.read_text() == site.new


def test_a_renewal_that_fails_is_told_and_the_old_certificate_is_served_on(site):
    (site.place / "issued.pem").unlink()
    spent = backdated()
    site.pem.write_text(spent)
    ended = site.bench.give("certificate_renew", service="nginx")
    assert ended["outcome"] in {"ROLLED_BACK", "PARTIALLY_ROLLED_BACK"}
    assert site.pem.read_text() == spent
    assert site.served() in site.old


def backdated():
    """Make a certificate of which most time is over: it began long ago and ends tomorrow."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "web")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=89))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (made.public_bytes(pem) + private).decode()
