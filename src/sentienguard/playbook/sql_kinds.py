"""The kinds of step and check that send a statement to a database of this host.

Called by `kinds`, which lists them with all others. Which statements may be sent: `statements`.
"""

from typing import Final

from sentienguard.model.playbook import Risk
from sentienguard.playbook.kind import FieldSpec, Kind, Operation, Shape

_COMMON: Final = (
    FieldSpec("query", Shape.TEXT, "one SQL statement", required=True),
    FieldSpec("service", Shape.SERVICE, "service whose database it is"),
    FieldSpec("values", Shape.VALUES, "what is bound to the places $1 or ? of a statement"),
)
_FOR_EACH: Final = FieldSpec("for_each", Shape.TEXT, "statement for whose rows `query` is run")
_EXPECTED: Final = (
    FieldSpec("expect_rows", Shape.INTEGER, "number of rows"),
    FieldSpec("expect_value", Shape.SCALAR, "the only value of the only row"),
)

STEPS: Final = (
    Kind(
        "sql_query",
        "run one SQL statement in a database of this host",
        (
            Operation(
                "",
                "run the statement, for each row of another where for_each is given",
                (*_COMMON, _FOR_EACH),
                Risk.WARNING,
                privilege="sql",
            ),
        ),
    ),
)
CHECKS: Final = tuple(
    Kind(name, "a query's answer", (Operation("", "a query's answer", (*_COMMON, *_EXPECTED)),))
    for name in ("sql_query", "sql")
)
