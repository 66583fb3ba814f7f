"""A database of a control plane with all its tables, copied from one that was made once.

All migrations at each test are dear, and what most tests ask is not theirs. Those of opening and
migrating begin with an empty one: a free path, or `server.new_database()`.
"""

import functools
import tempfile
from pathlib import Path

from sentienguard.adapters.sql_store import open_database
from tests.servers import postgresql


def in_file(path: Path) -> str:
    """Make one in a file that is not there yet and return its URL."""
    assert not path.exists()
    path.write_bytes(_file())
    path.chmod(0o600)
    return f"sqlite:///{path}"


def on(server: postgresql.Server) -> str:
    """Make one on a server and return its URL."""
    return server.new_database(like=_template(server))


@functools.cache
def _file() -> bytes:
    with tempfile.TemporaryDirectory(prefix="sentienguard-tables-") as directory:
        path = Path(directory) / "store.db"
        open_database(f"sqlite:///{path}").close()
        assert not path.with_name("store.db-wal").exists(), "its tables would be left out"
        return path.read_bytes()


@functools.cache
def _template(server: postgresql.Server) -> str:
    url = server.new_database()
    open_database(url).close()
    return url.rpartition("/")[2]
