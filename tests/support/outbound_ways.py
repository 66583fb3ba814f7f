"""Guarded ways to servers of tests, ways that answer themselves, and keys that are fetched."""

import httpx

from sentienguard.adapters.outbound_http import destinations
from sentienguard.adapters.outbound_http.client import GuardedClient
from sentienguard.ports.outbound import Answer, NotAllowed
from sentienguard.ports.secrets import Secret

PLENTY = 64 * 1024 * 1024  # bytes


def to(url, **more):
    """Return a way to this address, which need not be public; to nowhere where it is none."""
    try:
        allowed = [destinations.Allowed.of(url, private=True)]
    except NotAllowed:
        allowed = []
    return GuardedClient(allowed, **({"longest_body": PLENTY} | more))


def key(text):
    """Return what fetches this key."""
    return lambda: Secret(text)


class Answering:
    """An Outbound that asks a function: httpx.Request -> httpx.Response, or raises."""

    def __init__(self, answer):
        self._answer = answer

    def send(self, request):
        asked = httpx.Request(
            request.method, request.url, headers=request.headers, content=request.body
        )
        found = self._answer(asked)
        headers = {name.lower(): value for name, value in found.headers.items()}
        return Answer(found.status_code, headers, found.content)
