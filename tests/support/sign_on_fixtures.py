"""A control plane beside an identity provider, one for a module, and a browser that keeps cookies.

Taken by the tests of logging in through a provider, as their fixtures.
"""

from collections.abc import Iterator

import httpx
import pytest

from tests.servers import openid_provider
from tests.servers.openid_provider import Provider
from tests.support import sign_on
from tests.support.centre_process import Centre


@pytest.fixture(scope="module")
def running_provider() -> Iterator[Provider]:
    """Serve an identity provider."""
    with openid_provider.running() as provider:
        yield provider


@pytest.fixture(scope="module")
def centre(
    tmp_path_factory: pytest.TempPathFactory, running_provider: Provider
) -> Iterator[Centre]:
    """Run a control plane that goes to this provider."""
    with sign_on.running(tmp_path_factory.mktemp("sign-on"), running_provider) as running:
        yield running


@pytest.fixture(scope="module")
def admin(centre: Centre) -> httpx.Client:
    """Return who looks after people and roles, by a local login."""
    return centre.login("admin@local")


@pytest.fixture
def provider(running_provider: Provider) -> Iterator[Provider]:
    """Have nobody's claims of an earlier test, and leave none."""
    running_provider.reset()
    yield running_provider
    running_provider.reset()


@pytest.fixture
def browser(centre: Centre) -> Iterator[httpx.Client]:
    """Return a browser that nobody has signed in with."""
    with httpx.Client(base_url=centre.people, timeout=30) as client:
        yield client
