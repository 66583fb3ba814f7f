"""What the declaration of a kind of step or check is made of.

Called by `kinds` and its sister `server_kinds`, which declare, and through `kinds` by everybody
who reads a playbook. What belongs here are the nouns; which kinds there are does not.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from sentienguard.model.playbook import Risk


class Shape(StrEnum):
    """What a field holds. Each shape says by itself which type of parameter may stand for it."""

    TEXT = "text"  # a literal line of text
    WORD = "word"  # a literal name: letters, digits and _ . - @
    CHOICE = "choice"  # one of the field's `choices`
    INTEGER = "integer"  # literal or integer/percent parameter
    SCALAR = "scalar"  # literal text, number, true or false
    DURATION = "duration"  # seconds; literal or duration parameter
    SIZE = "size"  # bytes; literal
    ARGV = "argv"  # a program and its arguments; arguments may be parameters
    VALUES = "values"  # literals, or parameters; each is bound to a place of a statement
    WORDS = "words"  # literal names or absolute paths
    DIRECTORY = "directory"  # absolute literal, or mountpoint parameter
    FILE = "file"  # absolute literal
    SUFFIX = "suffix"  # literal end of a file's name, such as .last-good
    BELOW = "below"  # relative literal directory without ..
    GLOB = "glob"  # literal pattern for file names, without /
    URL = "url"  # literal http(s) address
    SERVICE = "service"  # literal or service parameter
    SERVICES = "services"  # a list of those
    PID = "pid"  # pid parameter only
    OBJECT = "object"  # object parameter only
    CONDITION = "condition"  # for conditions.parse
    FACT = "fact"  # name of a fact
    THRESHOLD = "threshold"  # operator and number, for conditions.of_metric
    PATTERN = "pattern"  # regular expression


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of a kind."""

    name: str
    shape: Shape
    meaning: str  # for people
    required: bool = False
    choices: tuple[str, ...] = ()  # CHOICE only
    minimum: int = 0  # INTEGER only
    maximum: int = 2**31 - 1  # INTEGER only
    default: str | int | None = None  # what parse puts where the field is absent
    written: str = ""  # how a step spells it where `name` would be the step's own name

    @property
    def key(self) -> str:
        """The key of the document that holds it."""
        return self.written or self.name


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that a kind can do; kinds that do one thing have one, with an empty name."""

    name: str
    meaning: str
    fields: tuple[FieldSpec, ...]
    risk: Risk = Risk.SAFE  # static; nothing may lower it
    one_of: tuple[tuple[str, ...], ...] = ()  # of each group exactly one field is given
    undo_only: bool = False  # makes sense only as the undo of a step of the same kind
    privilege: str = ""  # what `needs` has to declare: write, config, service, kill, nice, ...

    def spec(self, name: str) -> FieldSpec | None:
        """Find a field by its name."""
        return next((known for known in self.fields if known.name == name), None)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of step or check."""

    name: str
    meaning: str
    operations: tuple[Operation, ...]
    available: bool = True  # false: is read, and cannot be signed in this release
    shorthand: str = ""  # field that `command:` text is split into
    instead: str = field(default="")  # the way out where it is not available
    objects_only: bool = False  # without the field `object` it is read, and cannot be signed

    @property
    def single(self) -> Operation | None:
        """The only operation of a kind that has no choice of operations."""
        return self.operations[0] if not self.operations[0].name else None

    def operation(self, name: str) -> Operation | None:
        """Find an operation by its name."""
        return next((known for known in self.operations if known.name == name), None)
