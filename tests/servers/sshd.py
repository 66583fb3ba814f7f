"""Run an OpenSSH server for tests: on loopback, one user, one key, gone afterwards."""

import contextlib
import getpass
import pathlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from tests.servers import programs

NAMES = ("sshd", "/usr/sbin/sshd")


@dataclass(frozen=True)
class Server:
    port: int
    user: str
    key_file: str  # of the user that may log in
    known_hosts_file: str


def missing() -> str | None:
    """Say why none can run here; None where one can."""
    return programs.missing(NAMES, "openssh-server")


def make_key(place: pathlib.Path) -> str:
    """Make a key pair and return the private one's path."""
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place)]
    subprocess.run(argv, check=True)
    return str(place)


@contextlib.contextmanager
def running(place: pathlib.Path) -> Iterator[Server]:
    """Run one until the block ends."""
    place.mkdir()
    pathlib.Path("/run/sshd").mkdir(exist_ok=True)  # where it gives up its rights
    port = programs.free_port()
    host_key, key = make_key(place / "host"), make_key(place / "login")
    (place / "authorized").write_text(pathlib.Path(f"{key}.pub").read_text())
    settings = (
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nPidFile none\n"
        f"AuthorizedKeysFile {place}/authorized\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n"
    )
    (place / "sshd_config").write_text(settings)
    public = " ".join(pathlib.Path(f"{host_key}.pub").read_text().split()[:2])
    (place / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}\n")
    program = programs.found(NAMES) or NAMES[1]
    argv = [program, "-D", "-e", "-f", str(place / "sshd_config")]
    with programs.running(argv, place, lambda: programs.listens(port)):
        yield Server(port, getpass.getuser(), key, str(place / "known_hosts"))
