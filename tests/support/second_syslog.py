r"""A second reader of syslog and of CEF, written from the documents and strict.

RFC 5424 section 6 (ABNF), RFC 5425 section 4.3 (frames), and the Common Event Format: `|` ends a
part of the header and ` key=` begins a pair unless a backslash stands before. Anything else raises.
"""

import re

HEADER = re.compile(
    rb"<(0|[1-9][0-9]{0,2})>([1-9][0-9]{0,2}) "
    rb"(-|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    rb"(?:Z|[+-][0-9]{2}:[0-9]{2})) "
    rb"([\x21-\x7e]{1,255}) ([\x21-\x7e]{1,48}) ([\x21-\x7e]{1,128}) ([\x21-\x7e]{1,32}) "
)
SD_NAME = rb"[\x21\x23-\x3c\x3e-\x5c\x5e-\x7e]{1,32}"
SD_PARAM = re.compile(rb" (" + SD_NAME + rb')="((?:[^"\\\]]|\\["\\\]])*)"')
SD_ID = re.compile(rb"\[(" + SD_NAME + rb")")
BOM = b"\xef\xbb\xbf"
MEANT = {"\\": "\\", "=": "=", "n": "\n", "r": "\r"}
CEF_KEY = re.compile(r"(?:^| )([A-Za-z0-9_]+)=")


def frames(stream):
    """Split octet-counted frames; raises ValueError where a count is wrong or one is cut off."""
    found = []
    while stream:
        match = re.match(rb"([1-9][0-9]*) ", stream)
        if match is None:
            raise ValueError(f"no length: {stream[:30]!r}")
        start, length = match.end(), int(match[1])
        if len(stream) < start + length:
            raise ValueError("a frame is cut off")
        found.append(stream[start : start + length])
        stream = stream[start + length :]
    return found


def structured_data(rest):
    """Return the elements at the beginning, and what comes after them."""
    elements = {}
    if rest.startswith(b"-"):
        rest = rest[1:]
    else:
        while (start := SD_ID.match(rest)) is not None:
            at_byte, pairs = start.end(), {}
            while (pair := SD_PARAM.match(rest, at_byte)) is not None:
                name = pair[1].decode()
                if name in pairs:
                    raise ValueError(f"{name} stands twice")
                pairs[name] = re.sub(rb'\\(["\\\]])', rb"\1", pair[2]).decode("utf-8")
                at_byte = pair.end()
            if rest[at_byte : at_byte + 1] != b"]" or start[1].decode() in elements:
                raise ValueError(f"structured data does not end: {rest[at_byte:][:40]!r}")
            elements[start[1].decode()] = pairs
            rest = rest[at_byte + 1 :]
        if not elements:
            raise ValueError(f"no structured data: {rest[:40]!r}")
    return elements, rest


def message(content):
    """Take one RFC 5424 message apart."""
    match = HEADER.match(content)
    if match is None or int(match[1]) > 191:
        raise ValueError(f"no header: {content[:80]!r}")
    priority, version, at, host, app, process, kind = match.groups()
    rest = content[match.end() :]
    elements, rest = structured_data(rest)
    if rest and not rest.startswith(b" "):
        raise ValueError(f"no blank before the message: {rest[:40]!r}")
    text = rest[1:]
    if text.startswith(BOM):
        text = text[len(BOM) :]
    elif not text.isascii():
        raise ValueError("a message beyond ASCII without its mark")
    return {
        "facility": int(priority) // 8,
        "severity": int(priority) % 8,
        "version": int(version),
        "at": at.decode(),
        "host": host.decode(),
        "app": app.decode(),
        "process": process.decode(),
        "kind": kind.decode(),
        "elements": elements,
        "text": text.decode("utf-8"),
    }


def cef(line):
    """Take one CEF line apart: the seven parts of the header, and the pairs."""
    if len(line.splitlines()) != 1:
        raise ValueError("not one line")
    parts, rest = [], line
    for _ in range(7):
        match = re.match(r"((?:[^\\|]|\\[\\|])*)\|", rest)
        if match is None:
            raise ValueError(f"header ends early: {rest[:60]!r}")
        parts.append(re.sub(r"\\([\\|])", r"\1", match[1]))
        rest = rest[match.end() :]
    pairs = {}
    keys = list(CEF_KEY.finditer(rest))
    if rest and (not keys or keys[0].start() != 0):
        raise ValueError(f"extension begins with no key: {rest[:60]!r}")
    for here, following in zip(keys, [*keys[1:], None], strict=True):
        value = rest[here.end() : following.start() if following else len(rest)]
        if re.search(r"(?<!\\)(?:\\\\)*=", value):
            raise ValueError(f"an equals sign stands bare: {value[:60]!r}")
        if here[1] in pairs:
            raise ValueError(f"{here[1]} stands twice")
        if re.sub(r"\\[\\=nr]", "", value).count("\\"):
            raise ValueError(f"an unknown escape: {value[:60]!r}")
        pairs[here[1]] = re.sub(r"\\([\\=nr])", lambda found: MEANT[found[1]], value)
    return parts, pairs
