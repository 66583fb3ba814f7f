"""The published description of the API is the one that the server gives."""

from scripts import openapi


def test_the_published_api_is_the_servers(monkeypatch):
    monkeypatch.setattr("sys.argv", ["openapi.py", "--check"])
    assert openapi.main() == 0, "run python scripts/openapi.py, then npm run generate in ui/"
