"""A small made-up library and alerts, and an embedder that compares by hashed words."""

import hashlib
import math
from collections.abc import Sequence

import pytest

from sentienguard.stages.decide.retrieval import fitted, lexicon
from sentienguard.stages.decide.retrieval.shelf import Document, Shelf, Vectors

DOCUMENTS = tuple(
    Document(*row)
    for row in (
        ("pg-pool", "PostgresConnectionPoolExhausted", "postgresql",
         "All connections of the PostgreSQL pool are in use. Terminate idle sessions."),
        ("pg-replica", "PostgresReplicationLag", "postgresql",
         "A PostgreSQL standby is behind its primary. Check the network and restart the receiver."),
        ("redis-memory", "RedisMemoryHigh", "redis",
         "Redis uses nearly all of its memory. Evict keys or raise maxmemory."),
        ("redis-down", "RedisDown", "redis", "Redis does not answer. Start it again."),
        ("disk-full", "NodeFilesystemAlmostOutOfSpace", "node",
         "A filesystem of the node has little space left. Remove rotated logs."),
        ("inode-full", "NodeFilesystemAlmostOutOfFiles", "node",
         "A filesystem of the node has few inodes left. Remove small files of sessions."),
        ("nginx-down", "NginxDown", "nginx", "Nginx is not running. Start the unit."),
        ("kafka-lag", "KafkaConsumerLag", "kafka",
         "A consumer group of Kafka is behind. Add consumers or look at slow ones."),
        ("cert", "CertificateExpiring", "nginx",
         "The certificate of a server expires within days. Renew it."),
        ("cpu", "NodeCpuHigh", "node", "A process of the node uses a whole processor."),
        ("etcd", "EtcdNoLeader", "etcd", "The members of etcd have not elected a leader."),
        ("mysql-slow", "MysqlSlowQueries", "mysql", "MySQL logs many slow queries."),
    )
)  # fmt: skip


class HashedWords:
    """Vectors of words by hash: texts with the same words are alike, and nothing else is."""

    model = "hashed-words"

    def __init__(self, dimensions: int = 256) -> None:
        self.dimensions = dimensions
        self.asked = 0

    def embed(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        """Return one vector for each text."""
        self.asked += len(texts)
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> tuple[float, ...]:
        vector = [0.0] * self.dimensions
        for word in lexicon.sequence(text) or ["nothing"]:
            place = hashlib.sha256(word.encode()).digest()
            vector[int.from_bytes(place[:4], "big") % self.dimensions] += 1.0
        length = math.sqrt(sum(one * one for one in vector))
        return tuple(one / length for one in vector)


SURE = {"constant": 20.0}  # a calibration that is always sure: the caps alone are left


def calibrate(monkeypatch: pytest.MonkeyPatch, *models: str) -> None:
    """Make both logistics sure of everything, for these models and no other."""
    for name in ("TABLES", "SIBLINGS"):
        monkeypatch.setattr(fitted, name, dict.fromkeys(models, SURE))


def shelf(*, vectors: bool = True, model: str = HashedWords.model) -> Shelf:
    """Return the library, prepared."""
    if not vectors:
        return Shelf(DOCUMENTS)
    spoken = HashedWords().embed([text for one in DOCUMENTS for text in one.spoken])
    return Shelf(DOCUMENTS, Vectors(model, spoken[0::2], spoken[1::2]))
