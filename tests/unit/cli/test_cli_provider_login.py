"""What a command line does while it waits for a code, and what it does not fall for."""

import http.client
import io
import socket

import httpx
import pytest

from sentienguard.cli import client, frame, loopback, main, provider_login
from sentienguard.trust import code_challenge

STATE = "s" * 43
CODE = "abcd-efgh-ijkl-mnop"
PATIENCE_S = 20.0


@pytest.fixture
def listener():
    with loopback.Listener(STATE) as made:
        yield made


def ask(listener, path, *, host=None, method="GET"):
    made = http.client.HTTPConnection("127.0.0.1", listener.port, timeout=PATIENCE_S)
    made.request(method, path, headers={"Host": host or f"127.0.0.1:{listener.port}"})
    answer = made.getresponse()
    body = answer.read()
    made.close()
    return answer, body


def test_the_code_that_comes_with_our_state_is_taken(listener):
    answer, body = ask(listener, f"/?code={CODE}&state={STATE}")
    assert answer.status == 200
    assert b"Back to the terminal" in body
    assert CODE.encode() not in body
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert listener.wait(PATIENCE_S) == CODE


@pytest.mark.parametrize(
    "path",
    [
        f"/?code={CODE}&state={'x' * 43}",
        f"/?code={CODE}&state=",
        f"/?code={CODE}",
        f"/?code={CODE}&state={STATE}x",
        f"/?code={CODE}&state={'x' * 43}&state={STATE}",
        f"/?state={STATE}",
        f"/?code=&state={STATE}",
        f"/?code=%0A&state={STATE}",
        f"/?code={'a' * 9000}&state={STATE}",
        f"/?code={CODE}%0Ax&state={STATE}",
        f"/favicon.ico?code={CODE}&state={STATE}",
        f"//?code={CODE}&state={STATE}&a=1&b=1&c=1&d=1&e=1&f=1&g=1",
        "/",
    ],
)
def test_whatever_else_comes_changes_nothing(listener, path):
    answer, _ = ask(listener, path)
    assert answer.status == 404
    assert listener.wait(0) is None
    ask(listener, f"/?code={CODE}&state={STATE}")
    assert listener.wait(PATIENCE_S) == CODE


def test_a_no_is_heard_with_our_state_alone(listener):
    assert ask(listener, f"/?error=access_denied&state={'x' * 43}")[0].status == 404
    assert ask(listener, f"/?error=other&state={STATE}")[0].status == 404
    assert listener.wait(0) is None
    assert ask(listener, f"/?error=access_denied&state={STATE}")[0].status == 200
    assert listener.wait(PATIENCE_S) == ""


@pytest.mark.parametrize("host", ["evil.example", "localhost", "127.0.0.1", "evil.example:80"])
def test_a_name_that_was_pointed_at_loopback_is_not_ours(listener, host):
    answer, _ = ask(listener, f"/?code={CODE}&state={STATE}", host=host)
    assert answer.status == 404
    assert listener.wait(0) is None


@pytest.mark.parametrize("method", ["POST", "HEAD", "OPTIONS", "PUT"])
def test_a_browser_comes_by_get_alone(listener, method):
    assert ask(listener, f"/?code={CODE}&state={STATE}", method=method)[0].status == 501
    assert listener.wait(0) is None


def test_the_first_code_counts(listener):
    ask(listener, f"/?code={CODE}&state={STATE}")
    ask(listener, f"/?code={'z' * 4}-zzzz-zzzz-zzzz&state={STATE}")
    assert listener.wait(PATIENCE_S) == CODE


def test_one_that_says_nothing_keeps_nobody_waiting(listener):
    with socket.create_connection(("127.0.0.1", listener.port)):
        assert ask(listener, f"/?code={CODE}&state={STATE}")[0].status == 200


def test_it_listens_on_loopback_alone(listener):
    assert listener._server.server_address[0] == "127.0.0.1"


WAYS = {
    "provider": "Example",
    "command_line": ["browser", "paste"],
    "command_line_at": "https://guard.example/api/v1/auth/command-line",
}


def asked(ways, posted=None):
    def answer(request):
        if request.method == "POST":
            posted.append(request.read())
            return httpx.Response(200, json={"token": "t", "refresh_token": "r"})
        return httpx.Response(200, json=ways)

    return client.Client("https://guard.example", transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"provider": ""}, "no identity provider"),
        ({"command_line": []}, "closed this way"),
        ({"command_line": ["browser"]}, "without --paste"),
        ({"command_line_at": "http://guard.example/x"}, "place to begin"),
        ({"command_line_at": "https://guard@evil.example/x"}, "place to begin"),
        ({"command_line_at": "javascript:alert(1)"}, "place to begin"),
        ({"command_line_at": "https://guard.example/\x1b[2J"}, "place to begin"),
        ({"command_line_at": ""}, "place to begin"),
    ],
)
def test_a_control_plane_that_has_no_such_way_or_says_nonsense_is_refused(changes, said, tmp_path):
    with asked({**WAYS, **changes}) as made, pytest.raises(client.Refused, match=said):
        provider_login.log_in(
            made, frame.open_frame(tmp_path, as_json=False), paste=True, open_browser=False
        )


def test_one_of_an_older_release_has_no_such_way(tmp_path):
    with asked({"provider": "Example"}) as made, pytest.raises(client.Refused, match="closed"):
        provider_login.log_in(
            made, frame.open_frame(tmp_path, as_json=False), paste=False, open_browser=False
        )


def test_a_digest_is_told_and_the_verifier_only_with_the_code(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{CODE}\n"))
    posted = []
    with asked(WAYS, posted) as made:
        shown = frame.open_frame(tmp_path, as_json=True)
        granted = provider_login.log_in(made, shown, paste=True, open_browser=False)
    out, err = capsys.readouterr()
    assert (granted.token, out) == ("t", "")
    said = httpx.Response(200, content=posted[0]).json()
    told = code_challenge.challenge(said["verifier"])
    assert said["code"] == CODE
    assert f"challenge={told}" in err
    assert code_challenge.compared(told) in err
    assert said["verifier"] not in err


def test_no_code_is_no_login(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with asked(WAYS, []) as made, pytest.raises(provider_login.NoCode, match="say yes"):
        provider_login.log_in(
            made, frame.open_frame(tmp_path, as_json=False), paste=True, open_browser=False
        )


@pytest.mark.parametrize(
    "words",
    [
        ["login"],
        ["login", "--paste"],
        ["login", "--browser", "--name", "dan"],
        ["login", "--sso", "--browser", "--paste"],
    ],
)
def test_ways_that_do_not_go_together(words, capsys):
    assert main.main(words) == 2
    assert "--" in capsys.readouterr().err


def test_two_places_show_the_same_eight_characters_for_one_challenge_alone():
    told = code_challenge.challenge("v" * 43)
    shown = code_challenge.compared(told)
    assert len(shown) == 9
    assert shown != code_challenge.compared(code_challenge.challenge("w" * 43))
    assert code_challenge.fits("v" * 43, told)
    assert not code_challenge.fits("w" * 43, told)
    assert not code_challenge.fits("", "")
    assert not code_challenge.fits("é", "é")


def test_the_digest_is_the_one_of_the_specification():
    """RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert code_challenge.challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
