"""What an anomalous metric means, in the slots that playbooks declare.

A query keeps measured facts and free text apart all the way: `terms` come from measurements,
`hints` from text that anybody on a host can write.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sentienguard.model.evidence import Evidence
from sentienguard.stages.decide import words
from sentienguard.stages.decide.retrieval import lexicon
from sentienguard.stages.decide.retrieval.question import Question

_NONE: frozenset[str] = frozenset()

# What no words can make a remedy for: a host that does not speak is neither measured nor reached.
FOR_PEOPLE: frozenset[str] = frozenset({"agent.silent_s", "fleet.silent_hosts"})


@dataclass(frozen=True, slots=True)
class Query:
    """What a remedy is looked for."""

    metric: str  # empty: known by text only
    systems: frozenset[str]  # what it may be on; empty: nothing is known
    resources: frozenset[str]
    symptoms: frozenset[str]
    terms: tuple[str, ...]  # words of measured facts
    hints: tuple[str, ...] = ()  # words of text that anybody can write
    said: tuple[str, ...] = ()  # those of them that are not in names of files
    root: str = ""  # the volume that `fills` are of; empty: this is about none
    fills: tuple[tuple[str, int], ...] = ()  # the biggest paths there and their bytes
    question: Question | None = None  # measured facts for comparing by likeness; None: do not


# metric -> resources, symptoms, and the words that a person would use. Where nothing says what
# fills a disk, old logs are the likeliest cause and the one that is safest to remove.
_METRICS: Mapping[str, tuple[frozenset[str], frozenset[str], str]] = {
    "system.disk_usage_percent": (
        frozenset({"disk"}), frozenset({"full"}), "disk full space log cleanup"),
    "system.inode_usage_percent": (
        frozenset({"disk", "inode"}), frozenset({"full"}), "inode disk full files"),
    "system.cpu_percent": (
        frozenset({"cpu", "process"}), frozenset({"runaway", "saturated"}), "cpu runaway process"),
    "system.load_average_1m": (
        frozenset({"cpu", "process"}), frozenset({"runaway", "saturated"}), "cpu runaway process"),
    "system.memory_percent": (
        frozenset({"memory", "process"}), frozenset({"leak", "full", "saturated"}),
        "memory leak process"),
    "system.swap_percent": (
        frozenset({"memory", "process"}), frozenset({"leak", "full", "saturated"}),
        "memory swap leak process"),
    "system.zombies": (frozenset({"process"}), frozenset({"zombie"}), "zombie process parent"),
    "service.up": (
        frozenset({"service", "process"}), frozenset({"down"}), "service down stopped start"),
    "service.healthy": (
        frozenset({"service", "process"}), frozenset({"hung"}), "service hung restart health"),
    "service.http_ms": (frozenset({"service"}), frozenset({"saturated", "slow"}), "service slow"),
}  # fmt: skip
# A service that answers, but wrongly, needs another remedy than one that does not answer at all.
_DEGRADED = (frozenset({"degraded"}), "service degraded error answer health")
_FIRST_ERROR_STATUS = 400
_CONNECTIONS = (
    frozenset({"connections"}), frozenset({"saturated", "leak", "full"}), "connections saturated"
)  # fmt: skip
_ENDINGS = (
    ("connections_utilization", _CONNECTIONS),
    ("connection_pool.utilization", _CONNECTIONS),
)

# Names of systems where they may stand in a metric, a service, a mount point or a tag.
_SYSTEMS = frozenset(
    {
        "postgresql",
        "mysql",
        "redis",
        "nginx",
        "kubernetes",
        "rabbitmq",
        "mongodb",
        "kafka",
        "docker",
    }
)
# A term of a text is a stem, redi, and the slot of a playbook is a name, redis.
_STEMS: Mapping[str, str] = {stem: one for one in sorted(_SYSTEMS) for stem in words.terms(one)}
_RESOURCES = frozenset(
    {"disk", "inode", "memory", "cpu", "process", "service", "connections", "certificate"}
)
_SYMPTOMS = frozenset(
    {
        "full",
        "hung",
        "down",
        "leak",
        "runaway",
        "zombie",
        "saturated",
        "expired",
        "slow",
        "degraded",
    }
)
_CERTIFICATES = "certificate."
_OPEN = frozenset({"any", "linux", "http"})  # contradict no system: everything here runs on Linux


def of_evidence(evidence: Evidence) -> Query:
    """Return what a remedy for this evidence must be for."""
    series = evidence.anomaly.series
    resources, symptoms, said = _meaning(series.metric)
    if _answers_with_an_error(evidence):
        symptoms, said = _DEGRADED
    named = words.terms(f"{series.metric} {series.subject} {evidence.tags.get('service', '')}")
    systems = _spelled(frozenset(term for term in named if term in _SYSTEMS | _STEMS.keys()))
    systems |= _spelled(lexicon.products(named))
    if series.metric.startswith(_CERTIFICATES):
        systems |= {"tls"}  # whatever serves it
    return Query(
        metric=series.metric,
        systems=systems | {"linux"},
        resources=resources,
        symptoms=symptoms,
        terms=(*words.terms(said), *words.terms(" ".join(sorted(systems)))),
        hints=words.terms(free_text(evidence)),
        said=words.terms(_spoken_text(evidence)),
        root=series.subject,
        fills=tuple((use.path, use.bytes) for use in evidence.top_paths),
        question=Question(
            service=" ".join(sorted(systems)) or evidence.tags.get("service", ""),
            name="",
            metrics=(series.metric,),
            text=said,
        ),
    )


def _spelled(found: frozenset[str]) -> frozenset[str]:
    return frozenset(_STEMS.get(one, one) for one in found)


def spoken(evidence: Evidence) -> str:
    """Return what is embedded: measured facts alone, never what anybody on the host can write."""
    question = of_evidence(evidence).question
    return question.spoken if question else ""


def _answers_with_an_error(evidence: Evidence) -> bool:
    series = evidence.anomaly.series
    status = evidence.related.get(f"service.http_status[{series.subject}]", 0)
    return series.metric == "service.healthy" and status >= _FIRST_ERROR_STATUS


def of_text(text: str) -> Query:
    """Return what a remedy for a description must be for; every word of it is a term.

    For search and for alerts without a metric. What comes of it may be proposed, never run.
    """
    terms = words.terms(text)
    resources, symptoms = frozenset(terms) & _RESOURCES, frozenset(terms) & _SYMPTOMS
    if "connections" in resources and "full" in symptoms:
        symptoms |= {"saturated"}  # people say that a pool is full
    return Query(
        metric="",
        systems=frozenset(terms) & _SYSTEMS,
        resources=resources,
        symptoms=symptoms,
        terms=terms,
    )


def free_text(evidence: Evidence) -> str:
    """Return what anybody on the host can write: names of files and processes, and log lines.

    Where a volume lies says nothing of what fills it, so files are named from its root on.
    """
    root = evidence.anomaly.series.subject
    names = (use.path.removeprefix(root) for use in evidence.top_paths)
    return "\n".join([*names, _spoken_text(evidence)])


def _spoken_text(evidence: Evidence) -> str:
    """Return what processes are called and what logs say."""
    return "\n".join(
        [
            *(use.name for use in evidence.top_processes),
            *(line.text for line in evidence.log_lines),
        ]
    )


def is_open(system: str) -> bool:
    """Tell whether a declared system is no product: any, or what all hosts here have."""
    return system in _OPEN


def same_family(declared: str, wanted: frozenset[str]) -> bool:
    """Tell whether a declared system can be what is wanted."""
    return not wanted or declared in _OPEN or declared in wanted


def related(declared: str, wanted: frozenset[str]) -> bool:
    """Tell whether a declared system is a relative of what is wanted, such as PostgreSQL's."""
    return bool(lexicon.families([declared]) & lexicon.families(wanted))


def _meaning(metric: str) -> tuple[frozenset[str], frozenset[str], str]:
    known = _METRICS.get(metric)
    if known is not None:
        return known
    for ending, found in _ENDINGS:
        if metric.endswith(ending):
            return found
    terms = frozenset(words.terms(metric.replace("_", " ")))
    return terms & _RESOURCES, terms & _SYMPTOMS, metric.replace("_", " ")
