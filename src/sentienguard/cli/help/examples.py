"""Examples of each command, as `--help` shows them and as the reference prints them.

A test parses each of them against the program, so that none names what is not there.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

SHOWN_OF_A_GROUP: Final = 4  # examples below the help of a group; its commands show theirs


class Example(NamedTuple):
    """One line that somebody could type."""

    words: str  # after the command, as typed in a shell
    what: str  # it does


_INCIDENT: Final = "inc_20260212_112600_a8f3b2c1"
_APPROVAL: Final = "apr_0123456789abcdef"
_URL: Final = "--prometheus http://127.0.0.1:9090"

FIRST: Final = ("up", "doctor", "demo", "incidents list", "approvals list", "completion")

EXAMPLES: Final[Mapping[str, tuple[Example, ...]]] = {
    command: tuple(Example(*one) for one in given)
    for command, given in {
        "up": (
            ("", "start a control plane and an agent in the usual directory"),
            ("--drills --data .try", "with a sandbox that drills may break, in a directory here"),
            ("--environment staging --interval 10", "as a host of staging, a sample every 10 s"),
        ),
        "down": (("", "stop them"), ("--data .try", "stop those of another directory")),
        "demo": (("", "break a volume for real and watch it being fixed"),),
        "freeze": (('"release 42 looks wrong"', "nothing is executed anywhere from now on"),),
        "unfreeze": (("", "let remedies run again"),),
        "query": (
            ("system_cpu_percent", "the newest reading of each host"),
            (
                "'max by (host) (system_disk_usage_percent)' --start 2026-02-12T00:00Z --step 1h",
                "a table by the hour",
            ),
        ),
        "ask": (
            (f'"what changed before {_INCIDENT}?"', "an answer from its record"),
            (f'"why was nothing done?" --incident {_INCIDENT}', "the same, asked shorter"),
        ),
        "mcp": (("", "started by another assistant, as its MCP server"),),
        "backtest": (
            (f"{_URL} --days 30", "what would have been noticed and done in a month"),
            (f"{_URL} --policy policy.yaml --out strict", "the same under another policy"),
        ),
        "diagnose": (("snapshot.json", "where a symptom comes from"),),
        "verify-agent-traffic": (
            ("agent.pcap --server 192.0.2.10:7444", "check what an agent sent"),
        ),
        "login": (
            ("--name dan", "log in to the control plane of this directory"),
            ("--name dan --server https://guard.example.org:7443", "log in elsewhere"),
            ("--sso --browser", "sign in with your identity provider, in this machine's browser"),
            ("--sso --paste", "the same on a machine without one: open it elsewhere, paste a code"),
        ),
        "settings": (("", "every setting, its value and where that comes from"),),
        "doctor": (
            ("", "what is wrong here, and how to mend it"),
            ("--json", "the same for programs; status 1 if anything is wrong"),
        ),
        "completion": (
            ("bash > ~/.local/share/bash-completion/completions/sentienguard", "for bash"),
            ("zsh > ~/.zfunc/_sentienguard", "for zsh, where ~/.zfunc is in fpath"),
            ("fish > ~/.config/fish/completions/sentienguard.fish", "for fish"),
        ),
        "version": (("", "the version"),),
        "drill list": (("", "every drill and what has to come of it"),),
        "drill run": (
            ("disk-full --data .try", "fill a volume and watch"),
            ("service-hung --ask --data .try", "leave the question to you"),
        ),
        "drill run-all": (
            ("--data .try", "all of them, and a report"),
            ("--only disk-full --again --data .try", "one of them once more"),
        ),
        "incidents list": (
            ("", "the newest twenty"),
            ("--status AWAITING_APPROVAL", "what waits for a person"),
            ("--host web-1 --json", "all of a host, for programs"),
        ),
        "incidents show": ((_INCIDENT, "its story, from the first sample to the last proof"),),
        "incidents record": ((f"{_INCIDENT} > record.json", "everything the log has of it"),),
        "incidents replay": (
            (_INCIDENT, "the decision made again from the log"),
            (f"{_INCIDENT} --policy policy.yaml", "as another policy would have decided"),
        ),
        "incidents stop": ((f'{_INCIDENT} --note "wrong host"', "stop and undo"),),
        "incidents postmortem": ((f"{_INCIDENT} --output draft.md", "a draft with its sources"),),
        "incidents ack": ((f'{_INCIDENT} --note "looking at it"', "nobody is reminded any more"),),
        "incidents assign": (
            (f"{_INCIDENT} eve", "it is eve's"),
            (_INCIDENT, "it is nobody's again"),
        ),
        "incidents note": ((f'{_INCIDENT} "the disk was replaced"', "a note in its story"),),
        "incidents close": ((f'{_INCIDENT} --reason "fixed by hand"', "no playbook is credited"),),
        "incidents reopen": ((f'{_INCIDENT} --reason "it came back"', "as a new one, linked"),),
        "approvals list": (("", "questions that wait for you"), ("--all", "answered ones too")),
        "approvals approve": (
            (f'{_APPROVAL} --note "looked at it"', "yes"),
            (f"{_APPROVAL} --key approver.pem", "yes, signed, where hosts want that"),
            (f"{_APPROVAL} --ssh-key ~/.ssh/id_ed25519_sk.pub", "signed with a hardware key"),
            (f"{_APPROVAL} --signature yes.json.sig", "signed on another machine"),
        ),
        "approvals payload": ((f"{_APPROVAL} --out yes.json", "to be signed elsewhere"),),
        "approvals show": ((_APPROVAL, "one question, of any age, and who said yes"),),
        "approvals deny": ((f'{_APPROVAL} --note "the release is on"', "no; people take over"),),
        "playbook list": (("", "all, with what became of their runs"),),
        "playbook show": (("service_restart_hung", "as it was signed"),),
        "playbook lint": (("playbook.yaml", "could it be signed"),),
        "playbook test": (
            ("disk_cleanup_rotated_logs", "a bundled one in the pretend world"),
            ("service_restart_hung --real", "on a service that a drill breaks, too"),
        ),
        "playbook draft list": (("", "open ones first"),),
        "playbook draft new": (("service_restart_hung", "from the version in force"),),
        "playbook draft show": (
            ("drf_20260212_112600_a8f3b2c1", "its text and what is wrong with it"),
            ("drf_20260212_112600_a8f3b2c1 --out mine", "as files to edit"),
        ),
        "playbook draft put": (
            (
                "drf_20260212_112600_a8f3b2c1 mine/playbook.yaml --case mine/simulation.yaml",
                "back again",
            ),
        ),
        "playbook draft test": (("drf_20260212_112600_a8f3b2c1", "on its pretended host"),),
        "playbook draft drop": (("drf_20260212_112600_a8f3b2c1", "nobody needs it"),),
        "playbook import": (
            ("site.yml --from ansible --out drafts", "drafts and a report"),
            ("job.yaml --from rundeck", "print them"),
        ),
        "playbook sign": (("playbook.yaml --key ~/.ssh/id_ed25519", "writes playbook.yaml.sig"),),
        "playbook verify": (("playbook.yaml --signers allowed_signers", "who signed it"),),
        "playbook run": (
            (
                "disk_cleanup_rotated_logs --host web-1 --param mount=/var --dry-run",
                "what it would do",
            ),
            ("service_restart_hung --host web-1 --param service=web --wait", "ask for it"),
        ),
        "hosts list": (("", "every host, and how long ago it was heard"),),
        "hosts show": (("web-1", "its newest readings"),),
        "hosts release": (('web-1 --reason "restored from its snapshot"', "it is one host"),),
        "hosts strike-off": (('web-1 --reason "disk was stolen"', "its key is refused at once"),),
        "silence list": (("", "what is on or waits"), ("--all", "ended ones too")),
        "silence show": (("sil_0123456789abcdef", "one of them"),),
        "silence add": (
            ('"web-*" --reason "new certificates" --minutes 30', "for half an hour"),
            (
                '--match metric=~"system.*" --reason backup --every "0 2 * * sun" --lasts 120',
                "every Sunday night",
            ),
        ),
        "silence preview": (("--match tag.role=db", "what it would cover now"),),
        "silence expire": (("sil_0123456789abcdef", "end it now"),),
        "maintenance list": (("", "where remedies do not start"),),
        "maintenance add": (
            ("web-1 --reason upgrade --until 2026-02-12T18:00", "one host until six"),
            ('--match tag.rack=b7 --reason "new switch"', "a rack for an hour"),
        ),
        "maintenance end": (("mnt_0123456789abcdef", "remedies may start again"),),
        "alerts list": (("--limit 5", "the newest five, and what became of each"),),
        "audit verify": (
            ("", "the whole log"),
            ("copy --against checkpoint.txt", "a copy, against a checkpoint that you kept"),
        ),
        "audit prove": (("17", "what convinces others that entry 17 is in the log"),),
        "audit erase": (
            (
                "17 0b1f...e9 --reason 'request 17'",
                "a step's output held what it should not",
            ),
        ),
        "audit exposure": (("", "what nobody else holds yet"),),
        "audit check-anchors": (("", "compare receipts with what lies outside"),),
        "audit export": (
            ("--format csv --from 2026-01-01 --to 2026-03-31 --out quarter.csv", "a quarter"),
            ("--format ocsf --log copy", "a copy of the log, to standard output"),
        ),
        "audit forward": (("--to siem.example.org:6514 --ca ca.pem", "as it is written"),),
        "evidence build": (
            ("--framework soc2 --from 2026-01-01 --to 2026-03-31 --out soc2", "and soc2.zip"),
        ),
        "evidence people": (("--out people.csv", "who the pseudonyms of a package are"),),
        "detect score": (("readings.csv --out scores.csv", "an anomaly score for each row"),),
        "notices channels": (("", "by which ways people hear"),),
        "notices test": (("on-call", "send a test message now"),),
        "notices list": (("--limit 5", "the newest five, and what became of them"),),
        "chat link": (("slack T0123 U0456 dan", "clicks of U0456 are dan's"),),
        "chat unlink": (("slack T0123 U0456", "no more"),),
        "chat list": (("", "who is linked to whom"),),
        "history import": (
            (f"{_URL} --days 14 --host db01=db-1", "two weeks of a Prometheus"),
            ("--csv readings.csv", "from a file"),
        ),
        "match eval": (
            ("--corpus library.jsonl --queries alerts.jsonl --out answers.jsonl", "rank them"),
        ),
        "break-glass request": (
            (
                'production run_playbook --reason "the only authority is ill" --minutes 20',
                "asks",
            ),
        ),
        "break-glass agree": (("brk_0123456789abcdef", "it stands from now on"),),
        "break-glass end": (("brk_0123456789abcdef", "it opens nothing from the next request on"),),
        "break-glass list": (("", "who asked, who agreed, until when"),),
        "users list": (("", "who has an account, and what for"),),
        "users add": (
            ("dan --role production=remediation_authority --role *=observer", "may approve"),
            ("ann --role *=auditor --days 14", "an auditor for two weeks"),
        ),
        "users roles": (("dan --role *=observer", "dan only looks from now on"),),
        "users sign-out": (("dan", "end all logins of dan"),),
        "users take-factors": (("dan", "dan lost the phone"),),
        "users erase": (("dan --reason 'request 17'", "dan asked to be forgotten"),),
        "users who": (
            ("person_5f0c2d7a41e9b3860d1c9a7e5b24f683", "who an entry of the log is about"),
        ),
        "roles list": (("", "each with what it is for"),),
        "roles show": (("auditor", "what it may do and what not"),),
        "tokens add": (
            ("production --host web-1", "for an agent on web-1"),
            ("production --for alertmanager", "for a sender of alerts"),
        ),
        "tokens list": (("", "those that send alerts"),),
        "tokens secret": (("tok_0123456789abcdef", "with which a sender signs"),),
        "tokens revoke": (("tok_0123456789abcdef", "refused from now on"),),
        "tokens read-only create": (("wallboard --environment production --days 30", "a month"),),
        "tokens read-only list": (("", "ended ones included"),),
        "tokens read-only revoke": (("rot_0123456789abcdef", "refused from now on"),),
        "recover-control-plane begin": (
            ("--out trust.json --against kept/checkpoint", "after a break-in: new keys, a draft"),
        ),
        "recover-control-plane finish": (("", "ends logins and tokens, verifies the log"),),
        "trust init": (
            ("--dir ceremony --from carried.json", "three root keys, two of which sign"),
        ),
        "trust status": (
            ("", "of this control plane"),
            ("ceremony/trust.json", "of a file, and what it still waits for"),
        ),
        "trust rotate": (
            ("trust.json --new root=keys/root-4.pem --remove root=0123456789abcdef", "one key"),
            ("trust.json --list playbook.yaml", "a playbook more in the catalogue"),
            ("trust.json --add-ssh-key ann@local=ann.pub", "ann approves with her SSH key"),
        ),
        "trust online-key": (("dispatch", "the key that is to follow, and its public half"),),
        "trust log-keys": (("ceremony/trust.json", "by the root that was signed, for verifiers"),),
        "trust revoke": (("trust.json --playbook service_safe_mode@1.0.0", "never to run again"),),
        "trust sign": (("trust.json --key keys/root-1.pem", "after showing what it is"),),
        "trust export": (("--out carried.json", "the signed documents, no private key"),),
        "trust import": (("trust.json", "they count from the next start"),),
    }.items()
}


def of(command: str) -> tuple[Example, ...]:
    """Return the examples of a command; of a group, the first of each of its commands.

    `command` is without the program's name; "" is the program itself.
    """
    if command in EXAMPLES:
        return EXAMPLES[command]
    if not command:
        return tuple(_first(name) for name in FIRST)
    below = [name for name in EXAMPLES if name.startswith(f"{command} ")]
    chosen = [_first(name) for name in below[:SHOWN_OF_A_GROUP]]
    return tuple(
        example._replace(words=example.words.removeprefix(command).strip()) for example in chosen
    )


def line(program: str, command: str, example: Example) -> str:
    """Return an example as somebody types it."""
    return " ".join(part for part in (program, command, example.words) if part)


def shown(program: str, command: str) -> str:
    """Return the examples of a command as the foot of its help."""
    told = (f"  # {one.what}\n  {line(program, command, one)}" for one in of(command))
    return "Examples:\n" + "\n".join(told)


def _first(name: str) -> Example:
    first = EXAMPLES[name][0]
    return first._replace(words=f"{name} {first.words}".strip())
