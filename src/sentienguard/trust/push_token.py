"""The token that Google sends with each push of Pub/Sub: who pushes, proven, to us, now.

Called by controlplane.push_senders. Pure: token, published keys and time come as arguments. Beside
the rules of `id_token` for signature and time:

1. RS256 alone, which is what Google signs these with.
2. `iss` is Google; `aud` is the audience that the owner set for the subscription, and no other.
3. `email` is the service account that the subscription pushes as, and Google verified it.

Format: https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions
"""

import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sentienguard.trust import id_token
from sentienguard.trust.dsse import NotTrusted

ALGORITHMS: Final = ("RS256",)
ISSUERS: Final = frozenset({"https://accounts.google.com", "accounts.google.com"})
LONGEST_ACCOUNT: Final = 320  # characters: the longest address of mail


def verify(token: str, published: Mapping[str, Any], audience: str, now: datetime) -> str:
    """Return the service account. Raises NotTrusted, id_token.KeyUnknown naming what is wrong."""
    claims = id_token.signed(token, published, ALGORITHMS, now)  # rule 1
    if claims.get("iss") not in ISSUERS:
        raise NotTrusted(f"iss: expected Google, found {_shown(claims.get('iss'))}")
    told = claims.get("aud")
    if not (
        audience
        and isinstance(told, str)
        and hmac.compare_digest(told.encode("utf-8", "replace"), audience.encode())
    ):  # rule 2
        raise NotTrusted(f"aud: expected {audience[:100]}, found {_shown(told)}")
    account = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(account, str):  # rule 3
        raise NotTrusted("email: expected a service account that Google verified")
    if not 0 < len(account) <= LONGEST_ACCOUNT:
        raise NotTrusted(f"email: expected at most {LONGEST_ACCOUNT} characters")
    return account


def _shown(found: object) -> str:
    return repr(str(found)[:100])
