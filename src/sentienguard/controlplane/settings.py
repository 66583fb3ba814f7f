"""The control plane's settings: `sentienguard.yaml`, overridden by `SENTIENGUARD_*`.

Read once, here, and passed down as values. Each has a sentence; docs/reference/settings.md is
checked against this file.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import urlsplit

import yaml

from sentienguard.model import addresses, errors

PREFIX = "SENTIENGUARD_"
FILE_NAME = "sentienguard.yaml"
# Given to no other program, and shown without the password; Loki may ask for HTTP basic.
_WITH_PASSWORD = frozenset({"database_url", "loki_url"})
_INSTEAD = {  # where a name and a password belong
    "prometheus_url": "use prometheus_user and prometheus_password_file, or prometheus_token",
    "adviser_url": "use adviser_key or adviser_key_file",
    "embedding_url": "use embedding_key or embedding_key_file",
}
# They name a secret. Who writes the secret itself there is told so, and it is not shown.
_NAMES_OF_SECRETS = frozenset({
    "adviser_key", "embedding_key", "loki_key", "prometheus_token", "prometheus_password",
})  # fmt: skip
_NAME_OF_SECRET = re.compile(r"(env|file|vault|aws|gcp|azure):\S+", re.ASCII)


class SettingWrong(errors.Rejected):
    """A setting is unknown or has a value that it cannot have."""


def _setting(
    sentence: str,
    default: Any,
    *,
    choices: tuple[str, ...] = (),
    bounds: tuple[float, float] | None = None,
) -> Any:
    return field(
        default=default, metadata={"sentence": sentence, "choices": choices, "bounds": bounds}
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings with their defaults."""

    people_host: str = _setting(
        "Address of the listener for people; anything but loopback needs people_certificate.",
        "127.0.0.1",
    )
    people_port: int = _setting(
        "Port of the listener for people; 0 takes a free one.", 7443, bounds=(0, 65535)
    )
    people_certificate: str = _setting(
        "PEM file with the certificate chain for people; empty serves plain HTTP on loopback.", ""
    )
    people_key: str = _setting("PEM file with the key of people_certificate.", "")
    agents_host: str = _setting("Address of the listener for agents.", "127.0.0.1")
    agents_port: int = _setting(
        "Port of the listener for agents; 0 takes a free one.", 7444, bounds=(0, 65535)
    )
    agents_names: str = _setting(
        "DNS names and IP addresses by which agents reach this control plane, separated by commas;"
        " its certificate names them beside localhost, and hosts are told the first.",
        "",
    )
    database_url: str = _setting(
        "SQLAlchemy address of the relational store and of the workflows; empty is SQLite files in "
        "the data directory.",
        "",
    )
    audit_log: str = _setting(
        "Where the audit log lies: files of the data directory, or the PostgreSQL database, which "
        "several control planes need.",
        "files",
        choices=("files", "database"),
    )
    takeover_s: float = _setting(
        "Silence after which other control planes take a frozen one's place, in seconds; a killed "
        "one's is taken at once.",
        5.0,
        bounds=(1, 300),
    )
    public_url: str = _setting(
        "Address under which people reach the dashboard, for links in messages; empty is the "
        "listener's own.",
        "",
    )
    notices_file: str = _setting(
        "YAML file with the channels and routes by which people hear of incidents, in the control "
        "plane's directory; where it is missing nobody is told.",
        "notices.yaml",
    )
    environments: str = _setting(
        "Known environments, separated by commas; nothing runs in any other.",
        "drill,dev,staging,production",
    )
    witness_policy: str = _setting(
        "Whose copies of the log's checkpoints count, such as `3 agents and 1 external`; what they"
        " have not all seen is shown as exposed.",
        "1 agent",
    )
    anchors_file: str = _setting(
        "YAML file with the places outside that get checkpoints of the log, in the control plane's"
        " directory; where it is missing nothing is anchored.",
        "anchors.yaml",
    )
    data_keys_file: str = _setting(
        "YAML file that says which key of AWS KMS wraps the keys of secrets at rest, in the control"
        " plane's directory; where it is missing a local file keys/data.key does.",
        "data-keys.yaml",
    )
    rotate_keys_days: int = _setting(
        "Days after which the keys of secrets at rest are rotated, and after which people are asked"
        " for new keys of dispatch and of the agents' listener.",
        90,
        bounds=(1, 3650),
    )
    rotate_log_key_days: int = _setting(
        "Days after which people are asked for a new key of the audit log.", 90, bounds=(1, 3650)
    )
    agent_certificate_hours: int = _setting(
        "Hours that the certificate of an agent lasts; agents renew theirs at half of it.",
        24,
        bounds=(1, 397 * 24),
    )
    interval_s: float = _setting("How often agents sample, in seconds.", 30.0, bounds=(0.2, 3600))
    host_silence_s: float = _setting(
        "Seconds without a sample after which people are told that a host is silent; never less "
        "than four of its own intervals, and a quarter more to see which others are.",
        120.0,
        bounds=(2, 86_400),
    )
    sensitivity: str = _setting(
        "Sigma at which a deviation counts: low 5, medium 3, high 2.",
        "medium",
        choices=("low", "medium", "high"),
    )
    approval_minutes: int = _setting(
        "How long a question to people stays open.", 15, bounds=(1, 7 * 24 * 60)
    )
    signed_approval_minutes: int = _setting(
        "How long a signed yes is good for; whose is over when the last one comes signs again.",
        20,  # a question's 15 minutes, then 3 for the host to fetch the order, and slow clocks
        bounds=(5, 12 * 60),  # hosts take a day at most, by their own clocks
    )
    two_person_risk: str = _setting(
        "Risk of a playbook from which on two people have to approve it; none: one is enough.",
        "none",
        choices=("none", "SAFE", "WARNING", "CRITICAL"),
    )
    verified_runs_needed: int = _setting(
        "Verified successes in an environment before a playbook runs there unattended.",
        5,
        bounds=(1, 10_000),
    )
    service_budget_per_hour: int = _setting(
        "Orders released for one service in an hour before people are asked.",
        3,
        bounds=(0, 1_000_000),
    )
    fleet_budget_per_hour: int = _setting(
        "Orders released in one environment in an hour before people are asked.",
        20,
        bounds=(0, 1_000_000),
    )
    alerts_per_second: int = _setting(
        "Alerts taken in a second with one webhook token before its sender is asked to wait.",
        10_000,
        bounds=(1, 1_000_000),
    )
    alert_backlog: int = _setting(
        "Alerts that may wait to be processed before senders are asked to wait.",
        100_000,
        bounds=(1, 10_000_000),
    )
    alert_commit: int = _setting(
        "Requests of webhooks that may share one commit; 1 gives each its own, which is slow.",
        1000,
        bounds=(1, 10_000),
    )
    readings_per_second: int = _setting(
        "Points that one token may push in a second (remote write, OTLP) before its sender has to "
        "wait.",
        200_000,
        bounds=(1, 10_000_000),
    )
    series_per_host: int = _setting(
        "Series of one host that other systems may send; points of more are refused and counted.",
        5000,
        bounds=(1, 1_000_000),
    )
    series_per_environment: int = _setting(
        "Series of one environment that other systems may send; points of more are refused.",
        200_000,
        bounds=(1, 10_000_000),
    )
    private_hosts: str = _setting(
        "Hosts of adviser_url, embedding_url, loki_url and prometheus_url whose addresses are not "
        "public although their names do not say so, separated by commas; empty: none.",
        "",
    )
    embeddings: str = _setting(
        "What compares meanings: offline is the installed model, hosted the one at embedding_url; "
        "off compares words alone, and nothing that no author declared for a metric runs "
        "unattended.",
        "offline",
        choices=("offline", "hosted", "off"),
    )
    embedding_store: str = _setting(
        "Where vectors are kept: files of the data directory, or the PostgreSQL database at "
        "database_url with its extension pgvector, which control planes share; there those of "
        "past incidents too.",
        "files",
        choices=("files", "pgvector"),
    )
    embedding_url: str = _setting(
        "Address of a hosted model up to /embeddings, for any OpenAI-compatible service.",
        "https://api.openai.com/v1",
    )
    embedding_model: str = _setting("Name of the hosted model.", "text-embedding-3-large")
    embedding_dimensions: int = _setting(
        "Numbers of a hosted model's vector.", 3072, bounds=(1, 65_536)
    )
    embedding_key: str = _setting(
        "Name of the secret that is the key of the hosted model, such as vault:kv/sg#embedding; "
        "empty: embedding_key_file says.",
        "",
    )
    embedding_key_file: str = _setting("File with the hosted model's key; empty sends none.", "")
    embedding_limit_s: float = _setting(
        "How long a decision waits for a hosted model before it goes on by words, in seconds.",
        2.0,
        bounds=(0.05, 60),
    )
    adviser: str = _setting(
        "Protocol of a language model that is asked for an opinion on incidents: off asks none, "
        "compatible is any server that speaks OpenAI's chat completions.",
        "off",
        choices=("off", "openai", "compatible", "anthropic"),
    )
    adviser_url: str = _setting(
        "Address of the model up to /chat/completions or /messages; empty is the protocol's own "
        "service.",
        "",
    )
    adviser_model: str = _setting("Name of the adviser's model; there is no default.", "")
    adviser_key: str = _setting(
        "Name of the secret that is the adviser's key, such as env:ADVISER_KEY; empty: "
        "adviser_key_file says.",
        "",
    )
    adviser_key_file: str = _setting("File with the adviser's key; empty sends none.", "")
    adviser_streams: str = _setting(
        "Whether the adviser is asked to stream its answers, which some gateways need.",
        "no",
        choices=("no", "yes"),
    )
    adviser_may: str = _setting(
        "What an opinion may do: shown changes nothing, restrict asks a person where it disagrees, "
        "choose may also name one of several playbooks that match alike. It never permits more.",
        "shown",
        choices=("shown", "restrict", "choose"),
    )
    adviser_limit_s: float = _setting(
        "Seconds for an opinion on one incident; with restrict and choose the decision waits so "
        "long at most.",
        20.0,
        bounds=(0.5, 300),
    )
    adviser_tokens: int = _setting(
        "Tokens that one incident may cost, sent and written together.",
        60_000,
        bounds=(1_000, 10_000_000),
    )
    adviser_dollars: float = _setting(
        "Dollars that one incident may cost, by the two prices below.", 0.25, bounds=(0, 1_000)
    )
    adviser_dollars_in: float = _setting(
        "Price of a million tokens that are sent; 0 counts no money for them.",
        0.0,
        bounds=(0, 10_000),
    )
    adviser_dollars_out: float = _setting(
        "Price of a million tokens that are written; 0 counts no money for them.",
        0.0,
        bounds=(0, 10_000),
    )
    keep_readings_days: int = _setting(
        "Days that single readings are kept; a baseline needs seven.", 90, bounds=(8, 3650)
    )
    keep_summaries_days: int = _setting(
        "Days that what became of older readings is kept, as summaries of five minutes for a year "
        "and then of an hour; no more than keep_readings_days keeps none.",
        5 * 365,
        bounds=(0, 3650),
    )
    keep_log_lines_days: int = _setting(
        "Days that log lines of other systems are kept.", 2 * 365, bounds=(1, 3650)
    )
    keep_log_lines: int = _setting(
        "Log lines of other systems that are kept at most, the newest; a million take about a "
        "gigabyte at worst.",
        2_000_000,
        bounds=(1_000, 1_000_000_000),
    )
    loki_url: str = _setting(
        "Grafana Loki that has log lines for decisions and an adviser's questions, without "
        "/loki/api/v1; empty: none.",
        "",
    )
    loki_selector: str = _setting(
        "LogQL that finds a service's lines there; $service and $environment are filled in.",
        '{service_name="$service", deployment_environment_name="$environment"}',
    )
    loki_key: str = _setting(
        "Name of the secret that is Loki's bearer token; empty: loki_key_file says.", ""
    )
    loki_key_file: str = _setting("File with Loki's bearer token; empty sends none.", "")
    loki_tenant: str = _setting("Tenant that Loki is told (X-Scope-OrgID); empty: none.", "")
    loki_limit_s: float = _setting(
        "How long one question to Loki may take, in seconds.", 2.0, bounds=(0.05, 60)
    )
    loki_decision_s: float = _setting(
        "How long a decision waits for lines of Loki, in seconds; 0 asks for none.",
        1.0,
        bounds=(0, 10),
    )
    cloudwatch_file: str = _setting(
        "YAML file with what is pulled from Amazon CloudWatch, in the control plane's directory; "
        "where it is missing nothing is.",
        "cloudwatch.yaml",
    )
    clusters_file: str = _setting(
        "YAML file with the Kubernetes clusters whose events are watched, in the control plane's "
        "directory; where it is missing none is.",
        "clusters.yaml",
    )
    pubsub_senders: str = _setting(
        "Service accounts of Google whose authenticated pushes of Pub/Sub are taken, and for which "
        "environment, as EMAIL=ENVIRONMENT, separated by commas; empty: none.",
        "",
    )
    pubsub_audience: str = _setting(
        "Audience that is set at the push subscriptions of pubsub_senders.", ""
    )
    pubsub_keys_url: str = _setting(
        "Where Google publishes the keys of its tokens.",
        "https://www.googleapis.com/oauth2/v3/certs",
    )
    prometheus_url: str = _setting(
        "Server with Prometheus's HTTP API whose history backtests of the dashboard judge; empty: "
        "none is run from there.",
        "",
    )
    prometheus_token: str = _setting(
        "Name of the secret that is the bearer token for prometheus_url; empty: "
        "prometheus_token_file says.",
        "",
    )
    prometheus_token_file: str = _setting(
        "File with the bearer token for prometheus_url; empty sends none.", ""
    )
    prometheus_user: str = _setting(
        "Name for prometheus_url where it asks for one (HTTP basic); empty sends none.", ""
    )
    prometheus_password: str = _setting(
        "Name of the secret that is the password of prometheus_user; empty: "
        "prometheus_password_file says.",
        "",
    )
    prometheus_password_file: str = _setting("File with the password of prometheus_user.", "")
    prometheus_rate: float = _setting(
        "Requests a second that a backtest of the dashboard makes of it, at most.",
        4.0,
        bounds=(0.01, 1000),
    )
    drills: str = _setting(
        "Whether drills may be run from the dashboard: each puts a real, bounded fault on the "
        "control plane's own machine.",
        "off",
        choices=("off", "on"),
    )
    git_repositories: str = _setting(
        "Local clones whose newest commits count as changes, as SERVICE=/DIRECTORY, separated by "
        "commas; nothing is fetched.",
        "",
    )
    session_hours: int = _setting(
        "Hours after which a person logs in again, whatever happens.", 12, bounds=(1, 24 * 30)
    )
    session_idle_minutes: int = _setting(
        "Minutes without a request after which a person logs in again.", 60, bounds=(5, 24 * 60)
    )
    access_minutes: int = _setting(
        "Minutes that an access token is good for; it is renewed without asking the person.",
        15,
        bounds=(1, 60),
    )
    second_factor: str = _setting(
        "Whether everybody needs a second factor: with required, who has none can register one "
        "and nothing else.",
        "optional",
        choices=("optional", "required"),
    )
    step_up_minutes: int = _setting(
        "Minutes for which a second factor that was shown opens accounts, tokens, evidence, "
        "approvals and the end of a freeze to whoever has one.",
        5,
        bounds=(1, 60),
    )
    sign_on_file: str = _setting(
        "YAML file with the identity provider (OpenID Connect) and what its groups mean, in the "
        "control plane's directory; where it is missing people log in with a password.",
        "sign-on.yaml",
    )
    break_glass_by: str = _setting(
        "Role that may ask for a right in an emergency and agree to another's request: "
        "administrator, or remediation_authority as well.",
        "administrator",
        choices=("administrator", "remediation_authority"),
    )
    break_glass_minutes: int = _setting(
        "Minutes that a right given in an emergency stands at most.", 60, bounds=(1, 60)
    )
    people_origin: str = _setting(
        "Address under which browsers reach the dashboard, such as https://guard.example.org; "
        "passkeys are bound to its name. Empty: http://localhost with our port, while plain HTTP "
        "is served.",
        "",
    )

    @property
    def is_alone(self) -> bool:
        """Whether no other control plane can use our database."""
        return not self.database_url.startswith("postgresql")


def load(directory: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the file in `directory`, where there is one, and the environment over it.

    Raises SettingWrong naming file or variable, what was expected and what was found.
    """
    values: dict[str, Any] = {}
    path = directory / FILE_NAME
    if path.exists():
        values.update(_from_file(path))
    values.update(_from_environment(os.environ if environment is None else environment))
    return Settings(**values)


def environment() -> Mapping[str, str]:
    """Return the variables of this process, for secrets that lie there."""
    return os.environ


def sentences() -> dict[str, tuple[str, Any]]:
    """Return name -> (sentence, default) of each setting, for the documentation and the doctor."""
    return {item.name: (item.metadata["sentence"], item.default) for item in fields(Settings)}


def may_be_private(settings: Settings, url: str) -> bool:
    """Tell whether the address of a setting need not be public: it, or private_hosts, says so."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    said = {one.strip().lower() for one in settings.private_hosts.split(",") if one.strip()}
    return bool(host) and (addresses.says_it_is_private(host) or host in said)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text("utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as cause:
        message = f"{path}: expected YAML, found {cause}"
        raise SettingWrong(message) from cause
    if not isinstance(content, dict):
        message = f"{path}: expected a mapping of settings, found {type(content).__name__}"
        raise SettingWrong(message)
    return {str(name): _typed(str(name), value, str(path)) for name, value in content.items()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    known = sentences()
    return {
        name: _typed(name, environment[PREFIX + name.upper()], PREFIX + name.upper())
        for name in known
        if PREFIX + name.upper() in environment
    }


def _typed(name: str, value: Any, where: str) -> Any:
    kind = get_type_hints(Settings).get(name)
    if kind is None:
        message = f"{where}: no setting is called {name!r}; known: {', '.join(sentences())}"
        raise SettingWrong(message)
    try:
        found = kind(value)
    except (TypeError, ValueError) as cause:
        message = f"{where}: setting {name}: expected {kind.__name__}, found {value!r}"
        raise SettingWrong(message) from cause
    if name.endswith("_url") and name not in _WITH_PASSWORD and addresses.names_somebody(found):
        # The text is not shown: it may hold a password.
        way_out = _INSTEAD.get(name, "write it without")
        message = f"{where}: setting {name}: found a name or a password before the host; {way_out}"
        raise SettingWrong(message)
    if name in _NAMES_OF_SECRETS and found and not _NAME_OF_SECRET.fullmatch(found):
        message = (
            f"{where}: setting {name}: expected a secret's name, such as env:NAME or "
            "file:/PATH, found something else, which is not shown"
        )
        raise SettingWrong(message)
    if name == "loki_url" and _shows_a_password(found):
        message = (
            f"{where}: setting {name}: found a name and a password, which plain http would carry "
            "in clear text; use https"
        )
        raise SettingWrong(message)
    limits = {item.name: item.metadata for item in fields(Settings)}[name]
    if limits["choices"] and found not in limits["choices"]:
        expected = ", ".join(limits["choices"])
        message = f"{where}: setting {name}: expected one of {expected}, found {value!r}"
        raise SettingWrong(message)
    if limits["bounds"] and not limits["bounds"][0] <= found <= limits["bounds"][1]:
        least, most = limits["bounds"]
        message = f"{where}: setting {name}: expected {least:g} to {most:g}, found {value!r}"
        raise SettingWrong(message)
    return found


def _shows_a_password(url: str) -> bool:
    """Tell whether what stands before the host would cross a network in clear text."""
    if not addresses.names_somebody(url):
        return False
    scheme, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    plain = f"{scheme}://{place.rpartition('@')[2]}{slash}{path}"
    return not addresses.crosses_no_network_in_the_clear(plain)
