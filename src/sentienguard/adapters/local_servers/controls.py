"""Which service is which program, and the port and the facts over all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sentienguard.adapters.local_servers import certificates, haproxy, rabbitmq, redis, resolver
from sentienguard.ports import command_runner, facts, interrupt, servers


@dataclass(frozen=True, slots=True)
class Control:
    """What the owner of the host declares of one service; which fields count depends on `kind`."""

    kind: str  # one of KINDS
    address: str = ""  # host:port of loopback, or the absolute path of a Unix socket
    user: str = ""
    password_file: str | None = None
    holds: str = "data"  # cache: everything in it can be made again
    queue: str = ""  # that the service consumes
    file: str = ""
    renew: tuple[str, ...] = ()


class Program(Protocol):
    """What every program offers."""

    def reading(self, name: str) -> float:
        """Measure one fact. Raises servers.ServerFailed."""


class Settable(Program, Protocol):
    """What a program offers whose settings can be changed."""

    def setting(self, key: str) -> str:
        """See ports.servers."""

    def change(self, key: str, value: str) -> None:
        """See ports.servers."""

    def choose(self, what: str, at_least: float) -> tuple[str, ...]:
        """See ports.servers."""

    def do(self, deed: str, operand: str, limit: float) -> bool:
        """See ports.servers."""


Controls = Mapping[str, Mapping[str, Control]]  # service -> kind -> control
KINDS = frozenset({"redis", "haproxy", "rabbitmq", "certificate", "resolver"})
OF_FACT: Mapping[str, str] = {
    **dict.fromkeys((*redis.READINGS, "redis_unread_bytes", "redis_is_cache"), "redis"),
    **dict.fromkeys(haproxy.READINGS, "haproxy"),
    **dict.fromkeys(rabbitmq.READINGS, "rabbitmq"),
    **dict.fromkeys(certificates.READINGS, "certificate"),
    **dict.fromkeys(resolver.READINGS, "resolver"),
}


class LocalServers:
    """A ports.servers.Servers, and the facts of its programs."""

    def __init__(
        self,
        controls: Controls,
        runner: command_runner.CommandRunner,
        stop: interrupt.Interrupt,
    ) -> None:
        """Take what was declared, and what runs a renewal."""
        self._controls = {name: dict(each) for name, each in controls.items()}
        self._runner = runner
        self._stop = stop

    def is_cache(self, service: str) -> bool:
        """Tell whether it was declared a cache; see the port."""
        return self._declared(service, "redis").holds == "cache"

    def setting(self, service: str, kind: str, key: str) -> str:
        """Return a setting; see the port."""
        return self._settable(service, kind).setting(key)

    def change(self, service: str, kind: str, key: str, value: str) -> None:
        """Change a setting; see the port."""
        self._settable(service, kind).change(key, value)

    def choose(self, service: str, kind: str, what: str, at_least: float) -> tuple[str, ...]:
        """Name what a deed is for; see the port."""
        return self._settable(service, kind).choose(what, at_least)

    def do(self, service: str, kind: str, deed: str, operand: str, limit: float) -> bool:
        """Do a deed; see the port."""
        if kind == "certificate":
            return self._certificate(self._declared(service, kind)).do(deed, operand, limit)
        return self._settable(service, kind).do(deed, operand, limit)

    def facts(self) -> Mapping[str, Callable[[Mapping[str, str]], facts.Fact]]:
        """Return what measures each fact of a server program."""

        def measuring(name: str) -> Callable[[Mapping[str, str]], facts.Fact]:
            return lambda given: self._measure(name, given)

        return {name: measuring(name) for name in OF_FACT}

    def _measure(self, name: str, given: Mapping[str, str]) -> float:
        if "service" not in given:
            raise facts.UnknownFact("the playbook has no parameter that says which service")
        try:
            known = self._declared(given["service"], OF_FACT[name])
            if name == "redis_is_cache":
                return float(known.holds == "cache")
            return self._program(known).reading(name)
        except servers.NotControlled as error:
            raise facts.UnknownFact(str(error)) from error
        except servers.ServerFailed as error:
            raise facts.FactNotMeasured(f"fact {name} cannot be measured: {error}") from error

    def _declared(self, service: str, kind: str) -> Control:
        known = self._controls.get(service, {}).get(kind)
        if known is None:
            raise servers.NotControlled(
                f"service {service} has no {kind} that remedies may speak to; declare it in "
                f"agent.json under controls.{service}.{kind}"
            )
        return known

    def _settable(self, service: str, kind: str) -> Settable:
        make = _SETTABLE.get(kind)
        if make is None:
            raise servers.NotControlled(f"a {kind} has no settings and does nothing else")
        return make(self._declared(service, kind))

    def _program(self, known: Control) -> Program:
        if known.kind == "certificate":
            return self._certificate(known)
        if known.kind == "resolver":
            return resolver.Resolver(known.address)
        return _SETTABLE[known.kind](known)

    def _certificate(self, known: Control) -> certificates.Certificate:
        return certificates.Certificate(
            known.file, known.address, known.renew, self._runner, self._stop
        )


_SETTABLE: Mapping[str, Callable[[Control], Settable]] = {
    "redis": lambda one: redis.Redis(one.address, one.user, one.password_file),
    "haproxy": lambda one: haproxy.Haproxy(one.address),
    "rabbitmq": lambda one: rabbitmq.Rabbitmq(one.address, one.user, one.password_file, one.queue),
}
