"""Run an nginx for tests: on loopback, with its status page, gone afterwards."""

import contextlib
import pathlib
from collections.abc import Iterator

from tests.servers import programs

NAMES = ("nginx", "/usr/sbin/nginx")
_CONFIGURATION = """
daemon off; pid {place}/pid; error_log {place}/errors; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {place}/body; proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi; uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location = /nginx_status {{ stub_status; }}
    location / {{ return 200 "hello\\n"; }}
    location = /secret {{ deny all; }}
  }}
}}
"""


def missing() -> str | None:
    """Say why no nginx can run here; None where one can."""
    return programs.missing(NAMES, "nginx-light")


@contextlib.contextmanager
def running(place: pathlib.Path) -> Iterator[str]:
    """Run an nginx until the block ends; give its address, http://host:port."""
    port = programs.free_port()
    file = place / "nginx.conf"
    file.write_text(_CONFIGURATION.format(place=place, port=port))
    argv = [programs.found(NAMES) or NAMES[0], "-c", str(file), "-p", str(place)]
    with programs.running(argv, place, lambda: programs.listens(port)):
        yield f"http://127.0.0.1:{port}"
