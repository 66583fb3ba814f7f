"""Where a late answer goes came from outside: only Slack's own place is ever asked."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from sentienguard.adapters.notify import slack
from sentienguard.adapters.notify.slack import Slack, Workspace
from sentienguard.adapters.outbound_http.client import GuardedClient
from sentienguard.adapters.outbound_http.destinations import Allowed
from sentienguard.ports.notifier import Late, NotNow, NotTaken, Run
from tests.servers import chat_services
from tests.servers.chat_services import COMMANDS, Services

pytestmark = pytest.mark.integration
OURS = f"{slack.HOOKS}/T0001/123456789/abcDEF_1-2"
# Everything that a payload may say instead; several of them another channel may well connect to.
ELSEWHERE = [
    "",
    slack.HOOKS,
    f"{slack.HOOKS}/",
    "http://hooks.slack.com/commands/T0001/1/a",
    "https://hooks.slack.com.evil.example/commands/T0001/1/a",
    "https://evil.example/https://hooks.slack.com/commands/T0001/1/a",
    "https://hooks.slack.com@evil.example/commands/T0001/1/a",
    "https://evil.example@hooks.slack.com/commands/T0001/1/a",
    "https://hooks.slack.com:444/commands/T0001/1/a",
    "https://hooks.slack.com:443/commands/T0001/1/a",
    "https://HOOKS.SLACK.COM/commands/T0001/1/a",
    "https://hooks.slack.com\\@evil.example/commands/T0001/1/a",
    "https://hooks.slack.com/services/T0001/B0001/secret",  # somebody's incoming webhook
    "https://hooks.slack.com/commandsx/T0001/1/a",
    f"{slack.HOOKS}/../services/T0001/B0001/secret",
    f"{slack.HOOKS}/%2e%2e/services/T0001/B0001/secret",
    f"{slack.HOOKS}/./a",
    f"{slack.HOOKS}//a",
    f"{slack.HOOKS}/T0001/1/a?x=1",
    f"{slack.HOOKS}/T0001/1/a#x",
    f"{slack.HOOKS}/T0001/1/a\n",
    f"{slack.HOOKS}/T0001/1/a\r\nhost: evil.example",
    f"{slack.HOOKS}/T0001/1/\u0430",
    f"{slack.HOOKS}/{'a' * 101}",
    f"{slack.HOOKS}{'/a' * 9}",
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1:8080/api/v1/auth/login",
    "file:///etc/passwd",
    "javascript:alert(1)",
]


@pytest.fixture
def services() -> Iterator[Services]:
    with chat_services.running() as running:
        yield running


def channel(services: Services) -> Slack:
    """Return a channel whose client may also ask the places of other channels, as in life."""
    at = services.address
    way = GuardedClient([Allowed.of(at, private=True)], limit_s=5)
    space = Workspace(
        f"{at}/api", chat_services.BOT, "C1", chat_services.TEAM, hooks=f"{at}{COMMANDS}"
    )
    return Slack(space, way)


def late(where: str) -> Late:
    said = (Run("<!channel> it grew "), Run("[4]", "https://guard.test/audit/proof/4"))
    return Late(where, said, datetime.now(UTC))


def test_an_address_of_slack_s_is_taken() -> None:
    assert Slack(Workspace("a", "b", "c", "d"), None).takes_late(OURS)  # type: ignore[arg-type]


@pytest.mark.parametrize("where", ELSEWHERE)
def test_no_other_address_is(where: str) -> None:
    made = Slack(Workspace("a", "b", "c", "d"), None)  # type: ignore[arg-type]
    assert not made.takes_late(where)
    with pytest.raises(NotTaken, match="response_url"):  # judged again before it is asked
        made.answer_late(late(where))


def test_a_late_answer_is_text_at_its_own_address(services: Services) -> None:
    where = f"{services.address}{COMMANDS}/T0001/1/a"
    channel(services).answer_late(late(where))
    [body] = services.of(f"{COMMANDS}/T0001/1/a")
    assert body["response_type"] == "ephemeral"
    assert "<!channel>" not in body["text"]
    assert services.refused == []


@pytest.mark.parametrize("path", ["/webhook", "/hooks/abc", "/api/chat.postMessage", "/commands"])
def test_what_other_channels_may_ask_a_late_answer_may_not(services: Services, path: str) -> None:
    with pytest.raises(NotTaken):
        channel(services).answer_late(late(f"{services.address}{path}"))
    assert services.headers == [], "nothing was connected to"


def test_an_address_that_is_used_up_or_busy_says_which(services: Services) -> None:
    made, where = channel(services), f"{services.address}{COMMANDS}/T0001/1/a"
    for _ in range(5):
        made.answer_late(late(where))
    with pytest.raises(NotTaken, match="404"):
        made.answer_late(late(where))
    services.refuse_next.append((429, {"retry-after": "7"}))
    with pytest.raises(NotNow) as busy:
        made.answer_late(late(where))
    assert busy.value.after_s == 7


def test_a_redirect_of_slack_s_is_not_followed(services: Services) -> None:
    services.refuse_next.append((307, {"location": f"{services.address}/webhook"}))
    with pytest.raises(NotTaken):
        channel(services).answer_late(late(f"{services.address}{COMMANDS}/T0001/1/a"))
    assert services.of("/webhook") == []
