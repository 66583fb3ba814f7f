"""Read pods' templates and containers, with what became of them."""

from collections.abc import Mapping
from typing import Final

from sentienguard.model import diagnosis
from sentienguard.stages.decide.diagnosis.kubernetes import objects, plain

_ASKS: Final[Mapping[str, str]] = {
    "grpc": "grpc", "httpGet": "http", "tcpSocket": "tcp", "exec": "exec",
}  # fmt: skip


def of_pod(pod: diagnosis.PlainObject) -> objects.Template:
    """Read a pod's own template, with the states of its containers."""
    states = {
        plain.text(state, "name"): state
        for kind in ("initContainerStatuses", "containerStatuses")
        for state in plain.each(pod, "status", kind)
    }
    return template(pod, states)


def template(
    thing: object, states: Mapping[str, diagnosis.PlainObject] | None = None
) -> objects.Template:
    """Read the template of pods that stands in a workload, or is a pod."""
    spec = plain.at(thing, "spec")
    volumes = plain.each(spec, "volumes")
    return objects.Template(
        labels=plain.mapping(thing, "metadata", "labels"),
        annotations=plain.mapping(thing, "metadata", "annotations"),
        containers=tuple(
            _container(one, (states or {}).get(plain.text(one, "name")), is_starter=starts)
            for kind, starts in (("initContainers", True), ("containers", False))
            for one in plain.each(spec, kind)
        ),
        node_selector=plain.mapping(spec, "nodeSelector"),
        tolerations=plain.each(spec, "tolerations"),
        affinity=_object(plain.at(spec, "affinity")),
        service_account=plain.text(spec, "serviceAccountName"),
        pull_secrets=tuple(plain.text(one, "name") for one in plain.each(spec, "imagePullSecrets")),
        claims=_mounted(volumes, "persistentVolumeClaim", "claimName"),
        secrets=_mounted(volumes, "secret", "secretName"),
        configs=_mounted(volumes, "configMap", "name"),
        mounts_host=any(plain.has(one, "hostPath") for one in volumes),
        dns_policy=plain.text(spec, "dnsPolicy"),
        nameservers=plain.words(spec, "dnsConfig", "nameservers"),
        host_aliases={
            name: plain.text(one, "ip")
            for one in plain.each(spec, "hostAliases")
            for name in plain.words(one, "hostnames")
        },
    )


def complete(template: objects.Template, declared: objects.Template | None) -> objects.Template:
    """Fill what an observation does not show from what was declared; what is shown stands."""
    if declared is None:
        return template
    return objects.Template(
        labels=template.labels or declared.labels,
        annotations={**declared.annotations, **template.annotations},
        containers=template.containers or declared.containers,
        node_selector=template.node_selector or declared.node_selector,
        tolerations=template.tolerations or declared.tolerations,
        affinity=template.affinity or declared.affinity,
        service_account=template.service_account or declared.service_account,
        pull_secrets=template.pull_secrets or declared.pull_secrets,
        claims=template.claims or declared.claims,
        secrets=template.secrets or declared.secrets,
        configs=template.configs or declared.configs,
        mounts_host=template.mounts_host or declared.mounts_host,
        dns_policy=template.dns_policy or declared.dns_policy,
        nameservers=template.nameservers or declared.nameservers,
        host_aliases=template.host_aliases or declared.host_aliases,
    )


def _object(found: object) -> diagnosis.PlainObject:
    return found if isinstance(found, Mapping) else plain.NOTHING


def _mounted(volumes: tuple[diagnosis.PlainObject, ...], kind: str, key: str) -> tuple[str, ...]:
    found = (plain.text(one, kind, key) for one in volumes if not plain.true(one, kind, "optional"))
    return tuple(name for name in found if name)


def _container(
    one: diagnosis.PlainObject, state: diagnosis.PlainObject | None, *, is_starter: bool
) -> objects.Container:
    now, before = plain.at(state, "state"), plain.at(state, "lastState")
    died = plain.at(now, "terminated") or plain.at(before, "terminated")
    said = [
        plain.text(part, kind, "message")
        for part in (now, before)
        for kind in ("waiting", "terminated")
    ]
    return objects.Container(
        name=plain.text(one, "name"),
        image=plain.text(one, "image"),
        ports=tuple(
            objects.Port(
                number=plain.whole(port, "containerPort") or 0,
                name=plain.text(port, "name"),
                protocol=plain.text(port, "protocol") or "TCP",
            )
            for port in plain.each(one, "ports")
        ),
        env={
            plain.text(variable, "name"): plain.text(variable, "value")
            for variable in plain.each(one, "env")
            if plain.has(variable, "value")
        },
        secrets=_references(one, "secret"),
        configs=_references(one, "configMap"),
        requests=plain.mapping(one, "resources", "requests"),
        limits=plain.mapping(one, "resources", "limits"),
        liveness=probe(plain.at(one, "livenessProbe")),
        readiness=probe(plain.at(one, "readinessProbe")),
        startup=probe(plain.at(one, "startupProbe")),
        is_ready=plain.true(state, "ready"),
        restarts=plain.whole(state, "restartCount") or 0,
        waiting=plain.text(now, "waiting", "reason"),
        died=plain.text(died, "reason"),
        exit_code=plain.whole(died, "exitCode"),
        said=" ".join(part for part in said if part),
        is_starter=is_starter,
    )


def _references(one: diagnosis.PlainObject, kind: str) -> tuple[tuple[str, str], ...]:
    found = [
        (plain.text(source, f"{kind}Ref", "name"), "")
        for source in plain.each(one, "envFrom")
        if not plain.true(source, f"{kind}Ref", "optional")
    ]
    for variable in plain.each(one, "env"):
        source = plain.at(variable, "valueFrom", f"{kind}KeyRef")
        if not plain.true(source, "optional"):
            found.append((plain.text(source, "name"), plain.text(source, "key")))
    return tuple(reference for reference in found if reference[0])


def probe(thing: object) -> objects.Probe | None:
    """Read one probe."""
    for key, protocol in _ASKS.items():
        asked = plain.at(thing, key)
        if isinstance(asked, Mapping):
            return objects.Probe(
                protocol=protocol,
                port=plain.text(asked, "port"),
                delay_s=plain.whole(thing, "initialDelaySeconds") or 0,
                timeout_s=plain.whole(thing, "timeoutSeconds") or 1,
                period_s=plain.whole(thing, "periodSeconds") or 10,
                failures=plain.whole(thing, "failureThreshold") or 3,
            )
    return None
