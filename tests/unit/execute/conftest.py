import pytest

from tests.support import pretend_host


@pytest.fixture
def pretend():
    return pretend_host.PretendHost(services={"web": True, "db": False})
