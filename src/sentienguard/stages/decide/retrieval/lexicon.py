"""One spelling for words, the classes of symptoms and resources, and families of systems.

The tables hold general knowledge of operations, no library's own names: a word that is missing
costs one match, a word that is wrong costs a wrong one.
"""

import itertools
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from sentienguard.stages.decide.retrieval import phrases

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_PART = re.compile(r"[^A-Za-z0-9]+")
_LOWER_UPPER = re.compile(r"([a-z0-9])([A-Z])")
_UPPER_WORD = re.compile(r"([A-Z]+)([A-Z][a-z])")

_EMPTY_WORDS = """
a all also an and any are as at be been being but by can could did do does e each etc for from g
had has have how i if in into is it its may might more most must need no not of off on one only
or other our out over per same see should so some such than that the their them then there these
they this those to too until up us use used using very was we were what when where which while
who will with within without would you your
"""
# How bad and how many, not what: an author's `NearFull` and `CriticallyFull` are one thing.
_DEGREES = """
almost approaching close count critical critically imminent imminently near nearly number possibly
potentially severely soon too very warning
"""
_EMPTY = frozenset(_EMPTY_WORDS.split()) | frozenset(_DEGREES.split())

# The first of each line stands for all of it.
_ALIKE = """
full nearfull exhausted exhaustion exhaust
filesystem fs
disk storage volume
slow latency delay lag slowness
down unavailable unreachable offline disappeared absent missing vanished
fail failure failed failing error errors unsuccessful unable cannot
crash crashloop crashlooping restart restarting
certificate cert tls ssl
expire expiration expiry expiring
memory mem ram oom
postgresql postgres pg
kubernetes k8s kube
high elevated excessive increased above
throttle throttling
reject refused denied
config configuration
inconsistent mismatch differ different inconsistency discrepancy skew diverge
replica replication
member peer
connect connection
load workload
"""

_SYMPTOMS: Mapping[str, str] = {
    "absent": "down absent missing vanished unavailable unreachable offline gone lost dead",
    "full": "full nearfull exhausted space capacity fill overflow",
    "slow": "slow latency delay lag long stall stuck behind duration hung hang block wait timeout "
    "pending",
    "failing": "fail error reject corrupt invalid broken bad refuse denied unhealthy degraded",
    "crashing": "crash crashloop restart flap panic oom kill die",
    "high": "high saturate overcommit pressure excessive usage utilization overload throttle burst "
    "spike",
    "mismatch": "mismatch inconsistent differ drift skew outdated stale old version conflict "
    "collision duplicate deprecated modified",
    "expiring": "expire expiration",
    "few": "low few insufficient under less",
    "limited": "quota limit exceeded",
    "dropping": "drop loss discard",
}
_RESOURCES: Mapping[str, str] = {
    "disk": "disk filesystem volume pv pvc space",
    "inode": "file inode",
    "memory": "memory swap oom heap",
    "cpu": "cpu core load processor",
    "network": "network nic interface packet bandwidth mtu tcp conntrack dns",
    "certificate": "certificate",
    "clock": "clock ntp time",
    "connections": "connect session client pool",
    "pod": "pod container",
    "node": "node host machine",
    "job": "job cronjob",
    "configuration": "config reload",
    "backup": "backup snapshot",
    "queue": "queue notification",
    "rule": "rule evaluate",
    "replica": "replica",
    "quota": "quota",
    "leader": "leader quorum member election",
    "scrape": "scrape target",
    "api": "api apiserver request rest",
    "log": "log",
    "object": "object bucket",
}

# Of one line, each is another thing: a title with one is not for an alert with another.
_EXCLUDE = """
primary replica
read write ingest query
source sink
client server
receive transmit send
cpu memory disk network inode
node pod container job
input output
slow down
high low few
start stop
any some all
object byte inode
"""

# Who can often be helped as whom. A relative is worth showing to a person, never more: products
# of one line speak the same protocol and are operated differently.
_FAMILIES = """
postgresql postgres cockroachdb cockroach timescaledb yugabytedb yugabyte greenplum redshift alloydb
mysql mariadb percona vitess tidb galera singlestore
redis valkey keydb dragonfly dragonflydb elasticache memorystore
memcached memcache
kafka redpanda warpstream automq
elasticsearch opensearch
mongodb documentdb ferretdb
prometheus thanos mimir cortex victoriametrics
cassandra scylladb scylla
rabbitmq activemq lavinmq artemis
nginx openresty tengine
httpd
haproxy traefik envoy
vault openbao
zookeeper clickhousekeeper
etcd
consul
minio ceph gluster glusterfs
docker containerd podman crio
jenkins gitlab
oracledb oracle
mssql sqlserver
clickhouse druid pinot
influxdb
spark flink hadoop
solr
tomcat jetty wildfly
coredns bind dnsmasq unbound
loki fluentd fluentbit logstash
"""
# Words that make another product of the same name: what operates it, or which edition it is.
_EDITIONS = """
amazon atlas aurora aws azure cloud confluent elasticache enterprise gcp google hosted managed
memorystore msk rds serverless
"""
_SPOKEN = (
    ("openshift virtualization", "kubevirt"),
    ("sql server", "mssql"),
    ("oracle db", "oracledb"),
)
# Words in a service's name that do not tell it from another: its kind, and who makes it.
_PLAIN_SERVICE = """
service cluster server system app log database apache microsoft ibm hashicorp exporter
"""

_ENDINGS = (
    ("ions", ""), ("ion", ""), ("ies", "y"), ("sses", "ss"), ("ing", ""), ("edly", ""),
    ("ed", ""), ("es", ""), ("s", ""), ("ly", ""),
)  # fmt: skip
_SHORTEST_CUT, _SHORTEST_STEM = 3, 3  # characters: what is shorter is left as it is
_DOUBLED_STAY = "lsz"


def sequence(text: str) -> list[str]:
    """Return the words of a text in order: identifiers taken apart, endings off, empty ones out."""
    bare = [part.lower() for word in _WORD.findall(text) for part in _parts(word)]
    return [base(one) for one in phrases.joined(bare) if len(one) > 1 and one not in _EMPTY]


def features(text: str) -> list[str]:
    """Return what a text is found by: its words, whole identifiers, and neighbouring pairs."""
    words = sequence(text)
    whole = [
        word.lower() for word in re.findall(r"[A-Za-z][A-Za-z0-9_]*", text) if len(_parts(word)) > 1
    ]
    return [*words, *whole, *pairs(words)]


def pairs(words: Iterable[str]) -> list[str]:
    """Return neighbouring words as one: `packet drop` says more than both alone."""
    return [f"{one}+{other}" for one, other in itertools.pairwise(words)]


def apart(identifier: str) -> str:
    """Return an identifier as words: `KubePodCrashLooping` as `Kube Pod Crash Looping`."""
    return " ".join(_parts(identifier))


@lru_cache(maxsize=16_384)  # words come from alerts, so what we remember of them is bounded
def base(word: str) -> str:
    """Return the one spelling of a word in lower case."""
    stem = _stem(word)
    return _SAME.get(stem, stem)


def symptoms(words: Iterable[str]) -> frozenset[str]:
    """Return the classes of symptoms that words name."""
    return frozenset(kind for word in words for kind in _SYMPTOM_OF.get(word, ()))


def resources(words: Iterable[str]) -> frozenset[str]:
    """Return the classes of resources that words name."""
    return frozenset(kind for word in words for kind in _RESOURCE_OF.get(word, ()))


def exclude(asked: frozenset[str], title: frozenset[str], text: frozenset[str]) -> bool:
    """Tell whether what is asked names another thing of a kind than a title does.

    Not where the two share one of the kind, or the document's `text` speaks of what is asked too.
    """
    return any(
        bool(kind & title - asked) and bool(kind & asked - text) and not kind & title & asked
        for kind in _KINDS
    )


def service_words(service: str) -> frozenset[str]:
    """Return the words that tell one service from another."""
    spoken = service.lower()
    for phrase, name in _SPOKEN:
        spoken = spoken.replace(phrase, f"{phrase} {name}")
    words = frozenset(sequence(spoken))
    return words - _PLAIN or words


def products(words: Iterable[str]) -> frozenset[str]:
    """Return the products that words name."""
    return _PRODUCTS.intersection(words)


def families(names: Iterable[str]) -> frozenset[str]:
    """Return the families of products, each by the first of its line."""
    return frozenset(_FAMILY_OF[name] for name in names if name in _FAMILY_OF)


def editions(words: Iterable[str]) -> frozenset[str]:
    """Return the words that make another product of the same name."""
    return _EDITION_WORDS.intersection(words)


@lru_cache(maxsize=16_384)
def _parts(word: str) -> tuple[str, ...]:
    spaced = _UPPER_WORD.sub(r"\1 \2", _LOWER_UPPER.sub(r"\1 \2", word))
    return tuple(part for part in _PART.split(spaced) if part)


def _stem(word: str) -> str:
    if len(word) <= _SHORTEST_CUT:
        return word
    for ending, instead in _ENDINGS:
        long_enough = len(word) - len(ending) >= _SHORTEST_STEM
        if word.endswith(ending) and long_enough and not (ending == "s" and word.endswith("ss")):
            word = word[: -len(ending)] + instead
            break
    if len(word) > _SHORTEST_CUT and word[-1] == "e":
        word = word[:-1]
    if len(word) > _SHORTEST_CUT and word[-1] == word[-2] and word[-1] not in _DOUBLED_STAY:
        word = word[:-1]
    return word


def _lines(table: str) -> dict[str, str]:
    return {
        _stem(word): _stem(line.split()[0])
        for line in table.strip().splitlines()
        for word in line.split()
    }


def _classes(table: Mapping[str, str]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for kind, names in table.items():
        for word in names.split():
            found.setdefault(base(word), set()).add(kind)
    return {word: frozenset(kinds) for word, kinds in found.items()}


_SAME: Mapping[str, str] = _lines(_ALIKE)
_SYMPTOM_OF = _classes(_SYMPTOMS)
_RESOURCE_OF = _classes(_RESOURCES)
_FAMILY_OF: Mapping[str, str] = {
    base(word): base(line.split()[0])
    for line in _FAMILIES.strip().splitlines()
    for word in line.split()
}
_PRODUCTS = frozenset(_FAMILY_OF)
_EDITION_WORDS = frozenset(base(word) for word in _EDITIONS.split())
_KINDS = tuple(
    frozenset(base(word) for word in line.split()) for line in _EXCLUDE.strip().splitlines()
)
_PLAIN = frozenset(base(word) for word in _PLAIN_SERVICE.split())
