"""What the command line makes of the API's answers."""

import json
import stat

import httpx
import pytest

from sentienguard.cli import client
from sentienguard.model import errors


def answering(handler):
    return client.Client("http://127.0.0.1:1", "secret", httpx.MockTransport(handler))


def problem(status, detail):
    body = {"type": "urn:x", "title": "t", "status": status, "detail": detail}
    return httpx.Response(status, json=body, headers={"content-type": "application/problem+json"})


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, client.Refused),
        (401, client.NotLoggedIn),
        (403, client.Refused),
        (404, client.Refused),
        (422, client.Refused),
        (503, client.Away),
    ],
)
def test_a_problem_becomes_an_error_with_its_own_words(status, kind):
    with (
        answering(lambda _: problem(status, "dan is observer in production")) as asked,
        pytest.raises(kind, match="dan is observer in production"),
    ):
        asked.get("/incidents")


def test_what_the_caller_does_next_follows_from_the_kind_of_error():
    assert issubclass(client.Refused, errors.Rejected)
    assert issubclass(client.Away, errors.Unavailable)


def test_an_answer_that_is_no_problem_document_still_gives_a_message():
    with (
        answering(lambda _: httpx.Response(500, text="<html>")) as asked,
        pytest.raises(client.Refused, match="answered 500"),
    ):
        asked.get("/overview")


def test_an_answer_that_is_no_json_is_refused():
    with (
        answering(lambda _: httpx.Response(200, text="<html>hello")) as asked,
        pytest.raises(client.Refused, match="is it ours"),
    ):
        asked.get("/overview")


def test_no_answer_says_the_way_out():
    def broken(request):
        raise httpx.ConnectError("Connection refused", request=request)

    with answering(broken) as asked, pytest.raises(client.Away, match="sentienguard up"):
        asked.get("/overview")


def test_requests_carry_the_token_and_leave_out_what_was_not_asked_for():
    seen = []

    def note(request):
        seen.append(request)
        return httpx.Response(200, json={"items": []})

    with answering(note) as asked:
        asked.get("/incidents", status="CLOSED", host=None, limit=5)
    assert seen[0].headers["authorization"] == "Bearer secret"
    assert str(seen[0].url) == "http://127.0.0.1:1/api/v1/incidents?status=CLOSED&limit=5"


def test_no_content_is_no_document():
    with answering(lambda _: httpx.Response(204)) as asked:
        assert asked.post("/auth/logout") is None


def test_a_session_is_kept_for_its_owner_alone(tmp_path):
    session = client.Session("token", "https://centre:7443", "dan")
    client.write_session(tmp_path, session)
    assert client.read_session(tmp_path) == session
    assert stat.S_IMODE((tmp_path / client.SESSION_FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "[]", '{"token": 1}', "{"])
def test_a_broken_session_file_is_no_session(tmp_path, content):
    (tmp_path / client.SESSION_FILE).write_text(content)
    assert client.read_session(tmp_path) is None


def test_without_a_control_plane_the_message_names_the_directory_and_the_way_out(tmp_path):
    with pytest.raises(client.Away, match=f"{tmp_path}.*sentienguard up"):
        client.local_server(tmp_path)


@pytest.fixture
def centre(tmp_path, monkeypatch):
    """A control plane that knows one password and the tokens it gave out."""
    tokens = {"fresh"}

    def handle(request):
        if request.url.path.endswith("/auth/login"):
            if json.loads(request.content)["password"] == "right":
                return httpx.Response(200, json={"token": "fresh", "expires_at": "2026-01-01"})
            return problem(401, "name and password do not match")
        if request.headers.get("authorization", "").removeprefix("Bearer ") in tokens:
            return httpx.Response(200, json={"name": "admin"})
        return problem(401, "log in")

    made = client.Client.__init__

    def init(self, server, token="", transport=None):
        made(self, server, token, httpx.MockTransport(handle))

    monkeypatch.setattr(client.Client, "__init__", init)
    (tmp_path / "run").mkdir()
    (tmp_path / client.SERVER_FILE).write_text('{"people": "http://127.0.0.1:7443"}')
    return tmp_path


def first_login(data, password):
    (data / client.FIRST_LOGIN_FILE).write_text(json.dumps({"name": "admin", "password": password}))


def test_an_ended_session_is_opened_again_with_the_first_login(centre):
    client.write_session(centre, client.Session("ended", None, "admin"))
    first_login(centre, "right")
    with client.connect(centre) as asked:
        assert asked.get("/auth/me") == {"name": "admin"}
    assert client.read_session(centre).token == "fresh"


def test_a_changed_password_asks_for_a_login(centre):
    first_login(centre, "wrong")
    with pytest.raises(client.NotLoggedIn, match="sentienguard login"), client.connect(centre):
        pass


def test_the_first_login_is_never_sent_to_another_server(centre):
    client.write_session(centre, client.Session("ended", "https://elsewhere:7443", "dan"))
    first_login(centre, "right")
    with pytest.raises(client.NotLoggedIn, match="elsewhere"), client.connect(centre):
        pass


def stepping_up(asked):
    """Answer as a control plane that wants a second factor before a freeze is lifted."""

    def answer(request):
        asked.append((request.method, request.url.path.removeprefix("/api/v1"), request.content))
        match asked[-1][:2]:
            case ("DELETE", "/freeze") if not any(b"123456" in body for _, _, body in asked):
                body = {"type": "urn:sentienguard:problem:step-up", "detail": "show it again"}
                return httpx.Response(403, json=body)
            case ("POST", "/auth/step-up"):
                return httpx.Response(200, json={"ticket": "t1"})
            case ("POST", "/auth/step-up/second"):
                return httpx.Response(204)
        return httpx.Response(200, json={"frozen": False})

    return answer


def test_lifting_a_freeze_asks_for_the_second_factor_and_goes_on():
    asked = []
    with answering(stepping_up(asked)) as connected:
        connected.ask_code = lambda: "123456"
        assert connected.delete("/freeze") == {"frozen": False}
    assert [path for _, path, _ in asked] == [
        "/freeze", "/auth/step-up", "/auth/step-up/second", "/freeze",
    ]  # fmt: skip
    assert json.loads(asked[2][2]) == {"ticket": "t1", "code": "123456"}


def test_without_a_terminal_lifting_a_freeze_says_what_is_missing():
    with (
        answering(stepping_up([])) as connected,
        pytest.raises(client.StepUpNeeded, match="show it again"),
    ):
        connected.delete("/freeze")


def test_who_has_to_log_in_again_is_told_so_and_asked_for_no_code():
    body = {"type": "urn:sentienguard:problem:login-again", "detail": "log in again there"}
    with answering(lambda _: httpx.Response(403, json=body)) as connected:
        connected.ask_code = lambda: pytest.fail("there is no code")
        with pytest.raises(client.Refused, match="log in again there"):
            connected.delete("/freeze")
