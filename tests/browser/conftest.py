"""How long a page may take until it shows what a test expects, on a machine that does much else."""

import pytest
from playwright.sync_api import expect

PATIENCE_MS = 20_000


@pytest.fixture(autouse=True, scope="session")
def patience() -> None:
    expect.set_options(timeout=PATIENCE_MS)
