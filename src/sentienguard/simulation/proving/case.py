"""What a playbook brings to be proven with: a host, what is wrong with it, what may change.

Made by `reading`, obeyed by `stage`, judged by `proofs`. Ages and times are seconds, sizes bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Volume:
    """A mount point of the host."""

    size: int
    inodes: int


@dataclass(frozen=True, slots=True)
class File:
    """One file, as it lies there before anything happens."""

    path: str  # absolute
    size: int
    age: float  # since it was last modified
    text: bytes | None = None  # its content, where somebody reads it


@dataclass(frozen=True, slots=True)
class Service:
    """One service."""

    name: str
    state: str  # running | stopped | hung | missing
    answers: int  # status of its health address while it runs
    health_url: str | None
    config_file: str | None
    log_file: str | None
    starts: bool  # false: every attempt to start it fails


@dataclass(frozen=True, slots=True)
class Process:
    """One process that is no service."""

    pid: int
    name: str
    cpu: float  # percent of one core
    memory: int
    nice: int
    uptime: float
    ignores: tuple[str, ...]  # signals that do not end it


@dataclass(frozen=True, slots=True)
class Program:
    """How a program ends; the first one whose pattern fits a command line counts."""

    run: str  # glob over the words of argv, joined by blanks
    exit: int
    takes: float


@dataclass(frozen=True, slots=True)
class Object:
    """An object beyond the host, on a target of this relay."""

    name: str
    facts: Mapping[str, str | float | bool]
    settings: tuple[str, ...]  # facts that an act sets and an undo has to put back


@dataclass(frozen=True, slots=True)
class Database:
    """The database of a service."""

    name: str  # of the service
    kind: str  # postgresql | mysql
    facts: Mapping[str, float]
    answers: Mapping[str, tuple[str, ...]]  # glob over a statement -> its rows of one column


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a host; what is not named stays."""

    levels: Mapping[str, float] = field(default_factory=dict)  # fact -> value
    truths: Mapping[str, float] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)  # service -> state
    answers: Mapping[str, int] = field(default_factory=dict)  # service -> status
    cpu: Mapping[int, float] = field(default_factory=dict)  # pid -> percent of one core
    exits: Mapping[str, int] = field(default_factory=dict)  # pattern of a program -> status
    removes: tuple[str, ...] = ()  # globs of files
    logs: Mapping[str, str] = field(default_factory=dict)  # file -> a line it gets
    objects: Mapping[str, Mapping[str, str | float | bool]] = field(default_factory=dict)
    databases: Mapping[str, Database] = field(default_factory=dict)  # what becomes of them


@dataclass(frozen=True, slots=True)
class Reaction:
    """What an act brings about on this host, beside what it does itself."""

    after: str  # glob over the name of the act, such as `service start web`
    change: Change
    holds: Mapping[str, str] = field(default_factory=dict)  # only if these files hold these texts
    no_file: str = ""  # only if no file's path fits this glob


@dataclass(frozen=True, slots=True)
class Scene:
    """One host."""

    name: str
    tags: Mapping[str, str]
    forbidden: str  # why nothing may run here now; empty: it may
    volumes: Mapping[str, Volume]
    files: tuple[File, ...]
    services: tuple[Service, ...]
    processes: tuple[Process, ...]
    programs: tuple[Program, ...]
    levels: Mapping[str, float]
    truths: Mapping[str, float]  # what no host measures, for the symptom alone
    reactions: tuple[Reaction, ...]
    objects: tuple[Object, ...] = ()
    databases: tuple[Database, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)  # of programs and kernel, by name


@dataclass(frozen=True, slots=True)
class Decoy:
    """A host that looks alike and has to be left alone."""

    name: str
    why: str  # for people
    scene: Scene


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that a playbook is proven with."""

    parameters: Mapping[str, str]
    facts: Mapping[str, str]  # what the order brings
    symptom: str  # condition that holds before and not after
    may_change: tuple[str, ...]  # globs over names of things: a path, `service web`, `process 7`
    scene: Scene
    decoys: tuple[Decoy, ...]
