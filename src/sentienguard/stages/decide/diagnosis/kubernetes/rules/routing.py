"""Gateways and ingresses that send a path to the wrong place.

Fires if a route leads to a service that is not the one which its path and name speak of while that
one exists, or to a service that does not exist.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from sentienguard.stages.decide.diagnosis.kubernetes import finding, observation, plain

_ROUTE: Final = re.compile(
    r"- id:\s*(?P<id>\S+)\s+uri:\s*(?P<uri>\S+)(?P<rest>(?:(?!- id:).)*)", re.DOTALL
)
_PATH: Final = re.compile(r"Path=([^\s,]+)")
_HOST: Final = re.compile(r"://(?:\$\{[^:}]*:)?([A-Za-z0-9][\w.-]*)")
_NOT_FOUND: Final = 404
_COMMON: Final = frozenset({"service", "svc", "api", "app", "server", "http", "ts"})


def find(seen: observation.Observed) -> Iterator[finding.Finding]:
    """Judge the routes of each gateway's settings and of each ingress."""
    for name in sorted(seen.cluster.configs):
        for text in seen.cluster.configs[name].values():
            yield from _routes(seen, name, text)
    yield from _lost(seen)
    for one in seen.cluster.manifests:
        if plain.text(one, "kind") in {"Ingress", "HTTPRoute", "VirtualService"}:
            yield from _ingress(seen, one)


def _routes(seen: observation.Observed, name: str, text: str) -> Iterator[finding.Finding]:
    for route in _ROUTE.finditer(text):
        host, path = _HOST.search(route.group("uri")), _PATH.search(route.group("rest"))
        if not host:
            continue
        target = host.group(1).split(".", maxsplit=1)[0]
        spoken = f"{route.group('id')} {path.group(1) if path else ''}"
        yield from _judge(seen, f"{name}: route {route.group('id')}", target, spoken)


def _lost(seen: observation.Observed) -> Iterator[finding.Finding]:
    """Find requests that are answered with *not found* and that no route would carry."""
    prefixes = [
        path.split("*", maxsplit=1)[0].rstrip("/")
        for texts in seen.cluster.configs.values()
        for text in texts.values()
        for path in _PATH.findall(text)
    ]
    for workload, alerts in seen.alerts.items():
        for alert in alerts:
            path = alert.text.split(":", maxsplit=1)[0]
            if alert.value != _NOT_FOUND or not path.startswith("/") or not prefixes:
                continue
            if workload in seen.cluster.workloads and not path.startswith(tuple(prefixes)):
                why = f"requests to {path} are not found, and no route has that path"
                yield finding.workload(workload, "route_to_wrong_service", 0.85, why)


def _ingress(seen: observation.Observed, one: object) -> Iterator[finding.Finding]:
    for rule in plain.each(one, "spec", "rules"):
        for path in plain.each(rule, "http", "paths"):
            target = plain.text(path, "backend", "service", "name")
            if target and target not in seen.cluster.services:
                name = plain.text(one, "metadata", "name")
                yield from _judge(seen, f"ingress {name}", target, plain.text(path, "path"))


def _judge(
    seen: observation.Observed, where: str, target: str, spoken: str
) -> Iterator[finding.Finding]:
    meant = best(spoken, seen.cluster.services)
    if meant is None or meant == target or _fit(spoken, target) >= _fit(spoken, meant):
        return
    workload = seen.cluster.services[meant].workload
    if workload:
        yield finding.workload(
            workload,
            "route_to_wrong_service",
            0.93,
            f"{where} ({spoken.strip()}) leads to {target} and not to {meant}",
        )


def best(spoken: str, names: Mapping[str, object]) -> str | None:
    """Name the one service that a route's words fit best; None if there is none, or a tie."""
    ranked = sorted(((_fit(spoken, name), name) for name in names), reverse=True)
    if not ranked or ranked[0][0] <= 0:
        return None
    tie = len(ranked) > 1 and ranked[1][0] == ranked[0][0]
    return None if tie else ranked[0][1]


def _fit(spoken: str, name: str) -> float:
    """Say how well a route's words fit a service's name, 0..1."""
    name_words = _words(name)
    if not name_words:
        return 0.0
    spoken_words = _words(spoken.split(" ", maxsplit=1)[0])
    path = re.sub(r"[^a-z0-9]", "", spoken.partition(" ")[2].lower())
    shared = len(name_words & spoken_words)
    score = shared / len(name_words | spoken_words) if spoken_words else 0.0
    return score + (0.5 if "".join(_in_order(name)) + "service" in path else 0.0)


def _in_order(name: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word not in _COMMON]


def _words(name: str) -> frozenset[str]:
    return frozenset(word for word in _in_order(name) if word)
