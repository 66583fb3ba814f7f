"""Every command of the first level: where it is, and its sentence for the list of all.

Called by `main`. A line of the command line needs one of these modules, and `--help` none: all of
them together load the control plane and the simulation too. So what `--help` lists stands here, and
a test compares it with what the commands say themselves.
"""

import importlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple


class Place(NamedTuple):
    """Where a command, or a group of them, is."""

    module: str  # of this package
    name: str  # in that module: a function, or a Typer
    sentence: str  # the first of its help

    def load(self) -> Any:
        """Return the function or the Typer itself."""
        return getattr(importlib.import_module(f"sentienguard.cli.{self.module}"), self.name)


COMMANDS: Final[Mapping[str, Place]] = {
    "up": Place(
        "up_commands",
        "up",
        "Start a control plane and an agent on this machine, ready to use.",
    ),
    "down": Place(
        "up_commands",
        "down",
        "Stop what `up` started; without --data also the demo of the current directory.",
    ),
    "demo": Place(
        "drill_commands",
        "demo",
        "Fill up a disk for real and watch it being fixed (data directory: .demo).",
    ),
    "freeze": Place(
        "freeze_commands",
        "freeze",
        "Stop everything: nothing is executed anywhere until `unfreeze`.",
    ),
    "unfreeze": Place("freeze_commands", "unfreeze", "Let remedies run again."),
    "query": Place(
        "query_commands",
        "query",
        "Ask the readings in PromQL, at one moment or over a range.",
    ),
    "ask": Place(
        "ask_commands",
        "ask",
        "Answer a question about an incident from its record, with the entries it rests on.",
    ),
    "mcp": Place(
        "mcp_commands",
        "mcp",
        "Serve the Model Context Protocol on standard input and output: it reads and proposes.",
    ),
    "backtest": Place(
        "backtest_commands",
        "backtest",
        "Run detection, matching and policy over the history of a Prometheus, and write a report.",
    ),
    "diagnose": Place(
        "diagnose_commands",
        "diagnose",
        "Say what a symptom comes from, how it travelled, and what speaks against that.",
    ),
    "verify-agent-traffic": Place(
        "traffic_commands",
        "verify_agent_traffic",
        "Check who opens connections, with which encryption, to where, and how much is sent.",
    ),
    "login": Place(
        "login_commands",
        "login",
        "Log in and keep the session; password and code are asked for, or piped in as lines.",
    ),
    "settings": Place(
        "about_commands",
        "settings",
        "Show every setting of the control plane, its value here, and where that comes from.",
    ),
    "doctor": Place(
        "doctor",
        "doctor",
        "Check this installation; status 1 if something is wrong, each with the way out.",
    ),
    "completion": Place(
        "completion_commands",
        "completion",
        "Print what a shell reads to complete commands, options and known values.",
    ),
    "version": Place("about_commands", "version", "Show the version."),
}

GROUPS: Final[Mapping[str, Place]] = {
    "drill": Place("drill_commands", "app", "Real, bounded faults, and watching them being fixed."),
    "incidents": Place("incident_commands", "app", "What happened, and what was done about it."),
    "approvals": Place("approval_commands", "app", "Questions to people, and their answers."),
    "playbook": Place("playbook_commands", "app", "The remedies that may run."),
    "hosts": Place("host_commands", "app", "Who is watched, and what they last said."),
    "silence": Place(
        "silence_commands",
        "app",
        "Open no incident for some symptoms for a while: they are still measured and judged.",
    ),
    "maintenance": Place(
        "maintenance_commands",
        "app",
        "Start no remedy on some hosts for a while: incidents are opened and go to people.",
    ),
    "alerts": Place("alert_commands", "app", "What other monitoring systems said."),
    "audit": Place("audit_commands", "app", "Check the evidence."),
    "evidence": Place("evidence_commands", "app", "Packages of evidence for an auditor."),
    "detect": Place("detect_commands", "app", "Score readings that are not in a control plane."),
    "notices": Place("notice_commands", "notices", "How people hear of incidents."),
    "chat": Place("notice_commands", "chat", "Who is who in chat services."),
    "history": Place("history_commands", "app", "What hosts did before they were enrolled."),
    "match": Place("match_commands", "app", "Match alerts with a library of remedies."),
    "users": Place("user_commands", "users", "Who may do what, where."),
    "roles": Place("role_commands", "app", "What each role may do."),
    "break-glass": Place(
        "break_glass_commands",
        "app",
        "A right for minutes in an emergency, given by two people, told to everybody.",
    ),
    "tokens": Place(
        "user_commands",
        "tokens",
        "How an agent joins, who sends alerts, which machines read.",
    ),
    "recover-control-plane": Place(
        "recovery_commands", "app", "Take a control plane back after a break-in."
    ),
    "trust": Place("trust_commands", "app", "Offline keys: who may sign what hosts run."),
}
