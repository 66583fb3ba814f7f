"""Errors, grouped by what the caller does next.

`Rejected`: do not repeat this request; it is wrong or not permitted.
`Unavailable`: try again later; nothing is known to be wrong with the request.
`Broken`: stop and tell people; going on could lose or damage something.

A message says which thing, what was expected, what came, and the way out.
"""


class SentienGuardError(Exception):
    """The root of everything that we raise on purpose."""


class Rejected(SentienGuardError):
    """The request is wrong or not permitted; repeating it unchanged gives the same answer."""


class Unavailable(SentienGuardError):
    """The other side is not answering or is busy; the same request may succeed later."""


class TooMany(Unavailable):
    """Too much of this is asked for at once; the same request succeeds when some has ended."""


class Broken(SentienGuardError):
    """An invariant does not hold; stop this part and tell people."""
