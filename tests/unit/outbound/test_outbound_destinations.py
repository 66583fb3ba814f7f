"""Which destinations are refused: forms of URLs, and addresses behind a name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.adapters.outbound_http import destinations
from sentienguard.adapters.outbound_http.destinations import Allowed
from sentienguard.ports.outbound import NotAllowed

PUBLIC = Allowed("https", "hooks.example.com", 443)
OWN = Allowed("https", "mattermost.corp", 443, private=True)

# Each could reach another place than a reader thinks, or one that nobody configured.
URLS = [
    "http://hooks.example.com/",  # clear text where https was configured
    "HTTPS://hooks.example.com/",
    "ftp://hooks.example.com/",
    "file:///etc/passwd",
    "gopher://hooks.example.com/",
    "//hooks.example.com/",
    "https:/hooks.example.com/",
    "https:///hooks.example.com/",
    "https://",
    "https://hooks.example.com:444/",  # another port
    "https://hooks.example.com:0/",
    "https://hooks.example.com:0443/",
    "https://hooks.example.com:443443/",
    "https://hooks.example.com:/",
    "https://hooks.example.com:+443/",
    "https://user@hooks.example.com/",
    "https://user:word@hooks.example.com/",
    "https://hooks.example.com@evil.example/",
    "https://hooks.example.com:443@evil.example/",
    "https://evil.example#@hooks.example.com/",
    "https://evil.example?@hooks.example.com/",
    "https://evil.example\\@hooks.example.com/",
    "https://hooks.example.com\\evil.example/",
    "https://hooks.example.com.evil.example/",
    "https://evilhooks.example.com/",
    "https://hooks.example.com./",  # a name with its root dot is another text for the same
    "https://.hooks.example.com/",
    "https://hooks..example.com/",
    "https://-hooks.example.com/",
    "https://hooks_example.com/",
    "https://Hooks.Example.com/",
    "https://hooks%2eexample.com/",
    "https://hooks.example.com%00.evil.example/",
    "https://hooks.example.com%23/",
    "https://hooks\u3002example\u3002com/",  # ideographic full stops
    "https://hooks.ex\u0430mple.com/",  # a Cyrillic letter
    "https://\u2460.2.3.4/",
    "https://hooks.example.com/\r\nHost: evil.example",
    "https://hooks.example.com/ evil",
    "https://hooks.example.com\t/",
    " https://hooks.example.com/",
    "https://hooks.example.com/#part",
    'https://hooks.example.com/"',
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.1./",
    "https://127.000.000.001/",
    "https://1.2.3.4.5/",
    "https://256.1.1.1/",
    "https://0/",
    "https://localhost/",
    "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[fe80::1%25eth0]/",
    "https://[::1/",
    "https://::1/",
    "https://[v1.a]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://metadata.google.internal/",
    "https://hooks.example.com/" + "a" * 5000,
]

NEVER = [
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "169.254.0.1",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::ffff:169.254.169.254",  # mapped
    "::169.254.169.254",  # compatible
    "::ffff:0:169.254.169.254",  # translated
    "64:ff9b::169.254.169.254",  # NAT64
    "64:ff9b:1::169.254.169.254",  # NAT64 of a site, /96
    "64:ff9b:1:a9fe:a9:fe00::",  # NAT64 of a site, /48
    "2002:a9fe:a9fe::1",  # 6to4
    "2001:0:a9fe:a9fe::1",  # Teredo, its server
    "2001::5601:5601",  # Teredo, its client, inverted
    "2606:4700::5efe:a9fe:a9fe",  # ISATAP
    "fe80::1",
    "fec0::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "ff02::1",
]
INSIDE = [
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.8.8.8",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "::1",
    "::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "2002:0a00:0001::1",
    "2001:db8::1",
    "fc00::1",
    "fd12:3456::1",
]


@pytest.mark.parametrize("url", URLS)
def test_a_form_that_was_not_configured_is_refused(url: str) -> None:
    with pytest.raises(NotAllowed):
        destinations.permit(destinations.parse(url), [PUBLIC])


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("allowed", [PUBLIC, OWN], ids=["public", "private"])
def test_an_address_that_is_never_asked_is_refused_whatever_the_owner_wrote(
    address: str, allowed: Allowed
) -> None:
    with pytest.raises(NotAllowed):
        destinations.judge([address], allowed)


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_asked_only_where_the_owner_said_so(address: str) -> None:
    with pytest.raises(NotAllowed, match="private: true"):
        destinations.judge([address], PUBLIC)
    assert destinations.judge([address], OWN)


def test_at_least_sixty_forms_are_refused() -> None:
    assert len(set(URLS)) + len(set(NEVER)) + len(set(INSIDE)) >= 110
    assert len(set(URLS)) >= 60


def test_one_bad_address_among_good_ones_refuses_the_host() -> None:
    assert destinations.judge(["93.184.216.34", "2606:4700::1111"], PUBLIC)
    with pytest.raises(NotAllowed):
        destinations.judge(["93.184.216.34", "127.0.0.1"], PUBLIC)
    with pytest.raises(NotAllowed):
        destinations.judge([], PUBLIC)
    with pytest.raises(NotAllowed):
        destinations.judge(["fe80::1%eth0"], OWN)


@pytest.mark.parametrize(
    ("url", "host", "port", "target"),
    [
        ("https://hooks.example.com", "hooks.example.com", 443, "/"),
        ("https://hooks.example.com/a/b?c=d%20e", "hooks.example.com", 443, "/a/b?c=d%20e"),
        ("http://10.0.0.7:8065/hooks/x", "10.0.0.7", 8065, "/hooks/x"),
        ("https://[2606:4700::1111]:8443/x", "2606:4700::1111", 8443, "/x"),
        ("wss://wss-primary.slack.com/link/?ticket=a-b", "wss-primary.slack.com", 443,
         "/link/?ticket=a-b"),
    ],
)  # fmt: skip
def test_a_plain_url_is_taken_apart(url: str, host: str, port: int, target: str) -> None:
    found = destinations.parse(url)
    assert (found.host, found.port, found.target) == (host, port, target)
    assert destinations.permit(found, [Allowed.of(url)]).host == host


def test_names_below_are_allowed_only_where_that_was_said() -> None:
    below = destinations.parse("wss://wss-primary.slack.com/")
    with pytest.raises(NotAllowed):
        destinations.permit(below, [Allowed("wss", "slack.com", 443)])
    assert destinations.permit(below, [Allowed("wss", "slack.com", 443, below=True)]).below
    for other in (
        "wss://evilslack.com/",
        "wss://slack.com.evil.example/",
        "wss://a.slack.com:444/",
    ):
        with pytest.raises(NotAllowed):
            destinations.permit(
                destinations.parse(other), [Allowed("wss", "slack.com", 443, below=True)]
            )


def test_a_refusal_tells_no_secret_of_the_url() -> None:
    for url in (
        "https://hooks.slack.com/services/T0/B0/topsecret\\",
        "https://me:topsecret@hooks.example.com/",
    ):
        with pytest.raises(NotAllowed) as refused:
            destinations.parse(url)
        assert "topsecret" not in str(refused.value)


@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{text}/x"):
        try:
            found = destinations.parse(url)
        except NotAllowed:
            continue
        assert url.startswith(f"{found.scheme}://")
        assert found.host in url


@given(st.ip_addresses(v=4))
def test_whatever_carries_an_address_is_judged_by_it(plain: object) -> None:
    def verdict(text: str) -> bool:
        try:
            destinations.judge([text], PUBLIC)
        except NotAllowed:
            return False
        return True

    high, low = divmod(int(plain), 65536)  # type: ignore[call-overload]
    if not verdict(str(plain)):
        for carrier in (
            f"::ffff:{plain}",
            f"64:ff9b::{plain}",
            f"2002:{high:x}:{low:x}::1",
        ):
            assert not verdict(carrier)
