"""Secrets and personal data out of log lines, before they leave the host.

Called by `agent.collectors.logs.telling`. A line is looked at twice: first for a handful of literal
hints, which nearly every line lacks, then, where a hint is there, by the patterns. Nothing of the
secret stays except what kind it was: `password=[redacted]`.

Rules:

1. When in doubt, redact: a line that lost a word still tells what happened, a secret that left the
   host does not come back.
2. Names stay (`password=`, `Authorization: Bearer`), values go.
3. The text that comes out is printable and at most `MAX_TEXT` characters: it will be shown in
   terminals and browsers. It is still untrusted text.
4. Of personal data go what names one person wherever it stands: mail addresses, numbers of payment
   cards (with a right check digit), bank accounts (IBAN) and United States social security numbers.
   Network addresses stay: without them nobody can find out what happened.
5. A line is redacted whole and cut after that, so that no half of a secret slips past a pattern.

Add a form: a line in `_FORMS`, with literals of which every instance holds one, and a line in the
table of `tests/unit/observe/test_observe_redact.py`.
"""

import re
from dataclasses import dataclass

MAX_TEXT = 512  # characters of a line that leave the host, see telemetry.LogLine
LONGEST_READ = 8192  # characters of a line that are looked at; the rest is cut before
MARK = "[redacted]"

_NAME = (  # what stands before it in the same word stays anyway
    r"(?:(?:passw(?:or)?d|passphrase|passwd|pwd|secret|token|api[_-]?key|apikey"
    r"|access[_-]?key|private[_-]?key|account[_-]?key|encryption[_-]?key|signing[_-]?key"
    r"|shared[_-]?key|auth[_-]?key|client[_-]?key|master[_-]?key|license[_-]?key|ssh[_-]?key"
    r"|credentials?|session[_-]?id|sessionid|sessid|signature|\bsig|\bpass|_pass|_auth|-auth)"
    r"[\w.-]{0,20})"
)
_NAME_HINTS = "pass pwd secret token key credential session sessid sig auth"
_VALUE = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\\"(?:[^"\\]|\\[^"])*\\"|[^\s,;&"'}\])>]+)"""
_EDGE = r"(?<![A-Za-z0-9])"


@dataclass(frozen=True, slots=True)
class _Form:
    """One way in which secrets are written."""

    hints: tuple[str, ...]  # lower case; every instance holds one of them
    pattern: re.Pattern[str]
    replacement: str


def _form(hints: str, pattern: str, replacement: str = MARK, *, folded: bool = False) -> _Form:
    """Make a form; `folded` where upper and lower case mean the same."""
    compiled = re.compile(pattern, re.IGNORECASE if folded else 0)
    return _Form(tuple(hints.split()), compiled, replacement)


_FORMS = (
    # PEM blocks, also those that a program wrote on one line
    _form(
        "-----begin",
        r"-----BEGIN [A-Z0-9 ]*(?:PRIVATE KEY|SECRET)[A-Z ]*-----.*",
        "[redacted key]",
    ),
    # scheme://user:password@host, and a token in place of the user
    _form("://", r"(?<=://)[^\s/@:\"']*:[^\s/\"']+@", f"{MARK}@"),
    _form("://", r"(?<=://)[^\s/@:\"']{16,}@", f"{MARK}@"),
    # Authorization headers and schemes
    _form(
        "authorization",
        r"\b((?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?)"
        r"(?:(basic|bearer|digest|token|negotiate|aws4-hmac-sha256|apikey)\s+)?[^\r\n\"']+",
        rf"\1\2 {MARK}",
        folded=True,
    ),
    _form(
        "bearer basic",
        r"\b(bearer|basic)\s+[A-Za-z0-9+/._~=-]{8,}",
        rf"\1 {MARK}",
        folded=True,
    ),
    _form(
        "cookie",
        r"\b((?:set-)?cookie[\"']?\s*[:=]\s*[\"']?)[^\r\n\"']+",
        rf"\1{MARK}",
        folded=True,
    ),
    # name = value, name: value, "name": "value", --name value, name is value
    _form(
        _NAME_HINTS,
        rf"({_NAME}[\"'\\]{{0,2}}\s{{0,3}}(?:=>|:=|[:=])\s{{0,3}}){_VALUE}",
        rf"\1{MARK}",
        folded=True,
    ),
    _form("--", rf"(--[\w-]{{0,40}}?{_NAME}\s+){_VALUE}", rf"\1{MARK}", folded=True),
    _form("identified", r"(\bidentified\s+by\s+)'[^']*'", rf"\1{MARK}", folded=True),
    _form(
        "password passphrase secret token",
        r"\b((?:password|passphrase|secret|token)\s+(?:is|was)\s+)\S+",
        rf"\1{MARK}",
        folded=True,
    ),
    # formats that say what they are
    _form("eyj", _EDGE + r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){0,3}"),
    _form("akia asia abia acca", _EDGE + r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Z0-9])"),
    _form("ghp_ gho_ ghu_ ghs_ ghr_", _EDGE + r"gh[pousr]_[A-Za-z0-9]{20,}"),
    _form("github_pat_", _EDGE + r"github_pat_\w{20,}"),
    _form(
        "glpat- glptt- gldt- glrt- glcbt-",
        _EDGE + r"gl(?:pat|ptt|dt|rt|cbt)-[A-Za-z0-9_=-]{16,}",
    ),
    _form("xox", _EDGE + r"xox[abeoprs]-[A-Za-z0-9-]{8,}"),
    _form("k_live_ k_test_", _EDGE + r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{8,}"),
    _form("sk-", _EDGE + r"sk-[A-Za-z0-9_-]{16,}"),
    _form("aiza", _EDGE + r"AIza[A-Za-z0-9_-]{30,}"),
    _form("ya29.", _EDGE + r"ya29\.[A-Za-z0-9_-]{16,}"),
    _form("npm_", _EDGE + r"npm_[A-Za-z0-9]{30,}"),
    _form("pypi-", _EDGE + r"pypi-[A-Za-z0-9_-]{30,}"),
    _form("hvs. hvb. hvr.", _EDGE + r"hv[sbr]\.[A-Za-z0-9_-]{20,}"),
    _form("dop_v1_", _EDGE + r"dop_v1_[a-f0-9]{32,}"),
    _form("shp", _EDGE + r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{20,}"),
    _form("sg.", _EDGE + r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    _form("age-secret", _EDGE + r"AGE-SECRET-KEY-1[A-Z0-9]{20,}"),
    _form("hooks.slack.com", r"(hooks\.slack\.com/(?:services|workflows)/)\S+", rf"\1{MARK}"),
    _form(
        "$2 $5$ $6$ $y$ $argon2",
        r"\$(?:2[abxy]|5|6|y|argon2(?:id|i|d))\$[A-Za-z0-9./,=$+-]{20,}",
    ),
)
_MAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_NUMBER = re.compile(  # a card of 13 to 19 digits, an IBAN with a country and two digits, an SSN
    r"(?<![\w.-])(?:[3-6]\d{3}(?:[ -]?\d){9,15}|[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}"
    r"|\d{3}-\d{2}-\d{4})(?![\w-])"
)
_LEAST_CARD = 13  # digits
_IBAN_HEAD = 4  # country and check digits, which count last
_HINTS = tuple(dict.fromkeys(hint for form in _FORMS for hint in form.hints))


def line(text: str) -> str:
    """Return a log line that may leave the host: secrets gone, printable, at most 512 characters.

    An empty or blank line comes back empty.
    """
    clean = printable(text[:LONGEST_READ]).strip()
    clean = personal(secrets(clean))
    return clean if len(clean) <= MAX_TEXT else f"{clean[: MAX_TEXT - 1]}…"


def secrets(text: str) -> str:
    """Replace everything in a text that looks like a secret."""
    lowered = text.lower()
    if not any(hint in lowered for hint in _HINTS):
        return text
    for form in _FORMS:
        if any(hint in lowered for hint in form.hints):
            text = form.pattern.sub(form.replacement, text)
    return text


def personal(text: str) -> str:
    """Replace what names one person."""
    if "@" in text:
        text = _MAIL.sub("[redacted address]", text)
    return _NUMBER.sub(_number, text)


def _number(found: re.Match[str]) -> str:
    """Replace a number that is what it looks like, and leave every other."""
    text = found[0]
    plain = text.replace(" ", "").replace("-", "")
    if plain.isdigit():
        is_card = len(plain) >= _LEAST_CARD and _luhn(plain)
        is_social = len(plain) < _LEAST_CARD
        return "[redacted number]" if is_card or is_social else text
    turned = plain[_IBAN_HEAD:] + plain[:_IBAN_HEAD]
    is_iban = int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1  # ISO 7064
    return "[redacted account]" if is_iban else text


def _luhn(digits: str) -> bool:
    """Tell whether the last digit is the right check digit, ISO/IEC 7812."""
    doubled = [2 * int(digit) for digit in digits[-2::-2]]
    rest = [int(digit) for digit in digits[-1::-2]]
    return (sum(rest) + sum(value - 9 if value > 9 else value for value in doubled)) % 10 == 0  # noqa: PLR2004 - its two digits added


def printable(text: str) -> str:
    """Replace what cannot be shown: controls become spaces, the rest the replacement character.

    A terminal escape, a line break inside a name, a byte that was not UTF-8 or a character that
    turns the writing direction ends here.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else " " if character < " " else "\ufffd"
        for character in text
    )
