import pytest

from tests.support import execution


@pytest.fixture
def centre():
    return execution.Centre()


@pytest.fixture
def make_agent(tmp_path, centre):
    made = []

    def make(**changes):
        made.append(execution.Agent(tmp_path / "agent", centre, **changes))
        return made[-1]

    yield make
    for agent in made:
        agent.close()
