"""Which programs can be asked, and where each of them usually is."""

from collections.abc import Mapping
from dataclasses import dataclass

from sentienguard.agent import settings
from sentienguard.agent.collectors.software import (
    asking,
    mysql,
    nginx,
    postgresql,
    rabbitmq,
    redis,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of program."""

    ask: asking.Ask
    address: str  # where it usually is


KINDS: Mapping[str, Kind] = {
    "postgresql": Kind(postgresql.ask, "/var/run/postgresql/.s.PGSQL.5432"),
    "mysql": Kind(mysql.ask, "/run/mysqld/mysqld.sock"),
    "redis": Kind(redis.ask, "127.0.0.1:6379"),
    "nginx": Kind(nginx.ask, "http://127.0.0.1:80/nginx_status"),
    "rabbitmq": Kind(rabbitmq.ask, "http://127.0.0.1:15692/metrics"),
}


def compose(configured: settings.Settings) -> tuple[asking.Software, ...]:
    """Return a collector for each declared target, and for each usual one that is not declared.

    A confined agent looks at nothing that was not declared.
    """
    targets = [
        asking.Target(one.kind, one.name, one.address, one.user, one.password_file)
        for one in configured.software
    ]
    if not configured.confined:
        declared = {target.kind for target in targets}
        targets += [
            asking.Target(name, name, kind.address, declared=False)
            for name, kind in KINDS.items()
            if name not in declared
        ]
    return tuple(asking.Software(target, KINDS[target.kind].ask) for target in targets)
