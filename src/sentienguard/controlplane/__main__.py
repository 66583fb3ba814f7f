"""Run the control plane of a data directory: `python -m sentienguard.controlplane --data DIR`."""

import gc

gc.disable()  # what is imported is no garbage; to look for it took a sixth of the imports

import argparse  # noqa: E402 - see above, as all below
import logging  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from datetime import timedelta  # noqa: E402
from pathlib import Path  # noqa: E402

from sentienguard.adapters.local_host.clock import LocalClock  # noqa: E402
from sentienguard.controlplane import app, app_keys, authority, settings  # noqa: E402
from sentienguard.model import errors  # noqa: E402
from sentienguard.model.access import Role  # noqa: E402

# Seconds that one thread computes while others wait. What gives its turn away often waits as often
# for one who computes: a sample's way through two databases thirty times, and the one thread that
# reads and writes TLS for all hosts at each piece. With 5,000 hosts a millisecond here left a third
# of a core idle while samples queued.
TURN_S = 0.0001


def main() -> int:
    """Serve, or add the first administrator; return the exit status."""
    gc.freeze()
    gc.enable()
    sys.setswitchinterval(TURN_S)
    parser = argparse.ArgumentParser(
        prog="python -m sentienguard.controlplane", description=__doc__
    )
    parser.add_argument("--data", type=Path, required=True, help="data directory")
    parser.add_argument(
        "--add-administrator",
        metavar="NAME",
        help="add a user who is administrator everywhere, password on standard input, and exit",
    )
    parser.add_argument(
        "--export-audit",
        metavar="DIR",
        type=Path,
        help="write the audit log of the database to a new directory, for verifiers, and exit",
    )
    parser.add_argument(
        "--rotate-data-keys",
        action="store_true",
        help="put what is sealed in the database under a new key, beside running ones, and exit",
    )
    parser.add_argument(
        "--add-wrapping-key",
        action="store_true",
        help="add a key to keys/data.key that others are to get before it is used, and exit",
    )
    parser.add_argument(
        "--add-authority",
        action="store_true",
        help="make the next authority of agents' certificates, for others to get, and exit",
    )
    wanted = parser.parse_args()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        if wanted.add_administrator:
            _add_administrator(wanted.data, wanted.add_administrator)
        elif wanted.rotate_data_keys:
            print(app_keys.rotate(wanted.data, LocalClock()))  # noqa: T201
        elif wanted.add_wrapping_key:
            print(app_keys.add_wrapping_key(wanted.data))  # noqa: T201
        elif wanted.add_authority:
            print(_add_authority(wanted.data))  # noqa: T201
        elif wanted.export_audit:
            count = app.export_audit(wanted.data, wanted.export_audit)
            print(f"{count} entries written to {wanted.export_audit}")  # noqa: T201
        else:
            app.serve(wanted.data)
    except errors.SentienGuardError as problem:
        print(f"sentienguard control plane: {problem}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _add_authority(data: Path) -> str:
    tls = data / "controlplane/tls"
    made = authority.AuthorityFiles(tls).make_next(LocalClock().now())
    lasts = timedelta(hours=settings.load(data / "controlplane").agent_certificate_hours)
    return (
        f"{tls}/ca.next.pem and ca.next.key {'are made' if made else 'wait already'}: copy both to "
        f"the other control planes; it signs {authority.follows(lasts).days} days after it was made"
    )


def _add_administrator(data: Path, name: str) -> None:
    directory = data / "controlplane"
    loaded = settings.load(directory)
    stores = app_keys.open_database(directory, loaded, LocalClock())
    try:
        password = sys.stdin.readline().rstrip("\n")
        stores.users.add(name, password, {"*": Role.ADMINISTRATOR})
    finally:
        stores.close()


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything durable is closed. The engine's threads that wait for people or hosts are no
    # daemons and would hold the process until their deadlines; the next start goes on from there.
    os._exit(status)
