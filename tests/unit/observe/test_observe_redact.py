"""Secrets leave no line; clean lines stay as they are."""

import base64
import random
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.stages.observe import redact

ALNUM = string.ascii_letters + string.digits
DICE = random.Random(20260212)


def word(length, alphabet=ALNUM):
    return "".join(DICE.choice(alphabet) for _ in range(length))


def hexes(length):
    return word(length, "0123456789abcdef")


def jwt():
    return ".".join(
        base64.urlsafe_b64encode(b'{"a":"' + word(20).encode() + b'"}').decode().rstrip("=")
        for _ in range(3)
    )


# (line with {} for the secret, the secret)
FORMATS = [
    ("password={}", lambda: word(12)),
    ("PASSWORD: {}", lambda: word(12)),
    ("db_password = '{}'", lambda: word(8) + " " + word(4)),
    ('{{"password": "{}"}}', lambda: word(14)),
    ('{{\\"password\\": \\"{}\\"}}', lambda: word(14)),
    ("passwd={};", lambda: word(10)),
    ("PGPASSWORD={} psql", lambda: word(10)),
    ("MYSQL_PWD={}", lambda: word(10)),
    ("mysql --password={} -u root", lambda: word(10)),
    ("curl --token {} https://x", lambda: word(20)),
    ("secret: {}", lambda: word(16)),
    ("client_secret={}&grant_type=x", lambda: word(32)),
    ("api_key={}", lambda: hexes(32)),
    ("apikey: {}", lambda: hexes(32)),
    ("x-api-key: {}", lambda: word(40)),
    ("aws_secret_access_key = {}", lambda: word(40)),
    ("aws key {} used", lambda: "AKIA" + word(16, string.ascii_uppercase + string.digits)),
    ("sts {}", lambda: "ASIA" + word(16, string.ascii_uppercase + string.digits)),
    ("access_token={}", lambda: word(40)),
    ("refresh_token: '{}'", lambda: word(40)),
    ("Authorization: Bearer {}", lambda: word(40)),
    ("authorization: Basic {}", lambda: base64.b64encode(word(20).encode()).decode()),
    ("> Authorization: {}", lambda: word(30)),
    ("using bearer {}", lambda: word(30)),
    ("Cookie: sid={}; theme=dark", lambda: word(32)),
    ("Set-Cookie: session={}; HttpOnly", lambda: word(32)),
    ("sessionid={}", lambda: word(26)),
    ("postgres://app:{}@db:5432/x", lambda: word(12)),
    ("redis://:{}@cache:6379", lambda: word(12)),
    ("https://{}@github.com/x.git", lambda: word(30)),
    ("amqp://u:{}@mq/", lambda: word(6) + ":" + word(5)),
    ("token {}", jwt),
    ("cloned with {}", lambda: "ghp_" + word(36)),
    ("pat {}", lambda: "github_pat_" + word(60)),
    ("gitlab {}", lambda: "glpat-" + word(20)),
    ("slack {}", lambda: "xoxb-" + word(12, string.digits) + "-" + word(24)),
    ("hook https://hooks.slack.com/services/{}", lambda: f"T{word(8)}/B{word(8)}/{word(24)}"),
    ("stripe {}", lambda: "sk_live_" + word(24)),
    ("openai {}", lambda: "sk-" + word(40)),
    ("maps {}", lambda: "AIza" + word(35)),
    ("oauth {}", lambda: "ya29." + word(60)),
    ("npm {}", lambda: "npm_" + word(36)),
    ("upload {}", lambda: "pypi-" + word(80)),
    ("vault {}", lambda: "hvs." + word(30)),
    ("do {}", lambda: "dop_v1_" + hexes(64)),
    ("shopify {}", lambda: "shpat_" + hexes(32)),
    ("mail {}", lambda: f"SG.{word(22)}.{word(43)}"),
    ("shadow root:{}:19000", lambda: "$6$" + word(8) + "$" + word(86)),
    ("hash {}", lambda: "$2b$12$" + word(53)),
    ("key {}", lambda: "-----BEGIN RSA PRIVATE KEY-----" + word(60)),
    ("key {}", lambda: "AGE-SECRET-KEY-1" + word(58, string.ascii_uppercase + string.digits)),
    ("AccountKey={};EndpointSuffix=x", lambda: word(86) + "=="),
    ("SharedAccessKey={}", lambda: word(43) + "="),
    ("GET /x?sig={}&se=1", lambda: word(43)),
    ("ALTER USER a IDENTIFIED BY '{}'", lambda: word(12)),
    ("the password is {}", lambda: word(12)),
    ("user=app pass={}", lambda: word(12)),
    ("passphrase => {}", lambda: word(12)),
    ("private_key: {}", lambda: word(64)),
]  # fmt: skip

CLEAN = [
    "Feb 12 11:26:00 db-1 kernel: Out of memory: Killed process 4242 (postgres) total-vm:8388608kB",
    'ERROR: could not write to file "pg_wal/xlogtemp.29": No space left on device',
    '10.0.0.7 - - [12/Feb/2026:11:26:00 +0000] "GET /healthz HTTP/1.1" 200 2 "-" "curl/8.5"',
    "nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)",
    "sshd[812]: Failed password for invalid user admin from 203.0.113.9 port 50022 ssh2",
    "systemd[1]: Started Session 12 of User deploy.",
    "connection pool exhausted: 95 of 95 in use, 40 waiting",
    "GET https://example.com/a/b?page=2 took 31 ms",
    "key 17 evicted from cache, 3 tokens left in bucket",
    "checkpoint complete: wrote 4012 buffers (24.5%); 0 WAL file(s) added",
    "authentication failed for user app",
    "cron[99]: (root) CMD (test -x /usr/sbin/anacron || run-parts /etc/cron.daily)",
    "dropping keyspace cache; primary key violates unique constraint orders_pkey",
]


def test_no_generated_secret_of_any_format_leaves_a_line():
    missed = []
    for form, make in FORMATS:
        for _ in range(40):
            secret = make()
            line = redact.line(f"app[1]: {form.format(secret)}")
            long_parts = [part for part in secret.split() if len(part) > 5]
            missed += [form for part in long_parts if part in line]
    assert len(FORMATS) >= 40
    assert missed == []


@pytest.mark.parametrize("line", CLEAN)
def test_a_clean_line_stays_as_it_is(line):
    assert redact.line(line) == line


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("password=hunter22 user=app", "password=[redacted] user=app"),
        ("Authorization: Bearer abcdefgh12345678", "Authorization: Bearer [redacted]"),
        ("postgres://app:pw12345@db/x", "postgres://[redacted]@db/x"),
    ],
)
def test_what_kind_of_secret_it_was_stays(line, shown):
    assert redact.line(line) == shown


@pytest.mark.property
@given(st.text(max_size=2000))
def test_what_leaves_is_printable_and_bounded(text):
    line = redact.line(text)
    assert len(line) <= redact.MAX_TEXT
    assert line.isprintable()


def test_terminal_escapes_and_line_breaks_end_here():
    assert "\x1b" not in redact.line("a\x1b[2Jb\r\nc\u202ed")


def test_a_secret_across_the_cut_leaves_no_half():
    secret = word(60)
    line = redact.line("x" * 480 + " password=" + secret)
    assert secret[:6] not in line


def test_a_hostile_line_takes_no_time():
    began = time.perf_counter()
    for hostile in ("password" * 1000, "--" * 4000 + "token", "a:" * 4000 + "://", "eyJ" * 2600):
        redact.line(hostile)
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail to ann.b+x@example.co.uk bounced", "mail to [redacted address] bounced"),
        ("user=ann@example.org, retry", "user=[redacted address], retry"),
        ("card 4111 1111 1111 1111 declined", "card [redacted number] declined"),
        ("card=5500-0000-0000-0004", "card=[redacted number]"),
        ("amex 378282246310005", "amex [redacted number]"),
        ("to DE89 3704 0044 0532 0130 00 today", "to [redacted account] today"),
        ("GB82WEST12345698765432", "[redacted account]"),
        ("ssn 078-05-1120", "ssn [redacted number]"),
    ],
)
def test_what_names_a_person_stays_on_the_host(text, expected):
    assert redact.line(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "from 10.0.0.7:4431 and fe80::1",
        "4111 1111 1111 1112 is no card",
        "took 1770895560000123 us",
        "inode 5500000000000005",
        "commit 4111111111111111a",
        "GB82WEST12345698765433 is no account",
        "2026-02-12T11:26:00 build 123-45-678",
        "root@localhost logged in",
        "uuid 4111aaaa-1111-4111-8111-111111111111",
    ],
)
def test_numbers_of_machines_stay(text):
    assert redact.line(text) == text
