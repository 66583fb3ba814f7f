"""What can be wrong with a query, by what whoever asked has to do."""

from sentienguard.model import errors


class QueryWrong(errors.Rejected):
    """The text is no query, or not one that we answer; write another."""


class QueryFailed(errors.Rejected):
    """The query has no answer on these series; match or group them otherwise."""


class QueryTooLarge(QueryFailed):
    """The answer would take more series, readings or points than one query may."""


class QueryTooSlow(errors.Rejected):
    """The time of one query ran out; ask for less."""
