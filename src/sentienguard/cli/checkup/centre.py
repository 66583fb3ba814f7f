"""Looks at the control plane's files: what it would meet when it starts, or met when it did."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sentienguard.adapters.minilm import embedder as minilm
from sentienguard.adapters.sql_store import schema, sealing_report, workflow_records
from sentienguard.agent import settings as agent_settings
from sentienguard.cli import trust_view
from sentienguard.cli.checkup import finding
from sentienguard.cli.checkup.finding import Finding
from sentienguard.cli.installation import host_agent
from sentienguard.cli.installation.places import Places
from sentienguard.controlplane import shipped, trust_exchange, trust_store
from sentienguard.controlplane.settings import FILE_NAME, Settings
from sentienguard.model import errors
from sentienguard.ports import embedder
from sentienguard.trust import certificates

LEAST_DAYS_LEFT: Final = 14  # to bring signers together before hosts refuse everything


def environments(places: Places, settings: Settings) -> Iterator[Finding]:
    """Look whether this machine's environment is one in which anything may run."""
    if not host_agent.enrolled(places):
        return
    try:
        mine = agent_settings.read(places.agent).environment
    except errors.SentienGuardError:
        return  # the agent's own look says so
    known = [one.strip() for one in settings.environments.split(",")]
    if mine not in known:
        yield finding.wrong(
            "environment",
            f"this machine is in {mine!r}, and known are {', '.join(known)}: nothing runs here",
            f"add it to `environments` in {places.centre / FILE_NAME}, then `sentienguard down` "
            "and `up`",
        )


def database(places: Places, settings: Settings) -> Iterator[Finding]:
    """Look whether the database answers, and whether its tables are those of this release."""
    file = places.centre / "sentienguard.db"
    if not settings.database_url and not file.exists():
        return  # the first start makes it
    try:
        found = schema.look(settings.database_url or f"sqlite:///{file}")
    except errors.Unavailable as error:
        yield finding.wrong(
            "database",
            str(error),
            "start that database server, or correct `database_url` (host, port, password, "
            "pg_hba.conf); `psql` with the same address tells the same",
        )
        return
    except errors.SentienGuardError as error:
        yield finding.wrong(
            "database", str(error), f"correct `database_url` in {places.centre / FILE_NAME}, or "
            "restore the database from a backup",
        )  # fmt: skip
        return
    if found.ahead:
        yield finding.wrong(
            "database",
            f"{found.place} has tables of a newer release ({found.found}; known here up to "
            f"{found.newest})",
            "run the release that wrote it, or restore a backup from before the upgrade",
        )
    elif found.found != found.newest:
        yield finding.note(
            "database",
            f"{found.place} has tables of an earlier release ({found.found or 'none'}; here "
            f"{found.newest})",
            "the next start brings them up to date; keep a backup before it",
        )
    else:
        yield finding.ok("database", f"{found.place} answers, tables {found.found}")


def sealing(places: Places, settings: Settings) -> Iterator[Finding]:
    """Look how much of what is to be sealed at rest is, and say that not everything is to be."""
    file = places.centre / "sentienguard.db"
    if not settings.database_url and not file.exists():
        return
    try:
        found = sealing_report.look(
            settings.database_url or f"sqlite:///{file}",
            places.centre / workflow_records.FILE,
        )
    except errors.SentienGuardError:
        return  # the look at the database says so
    if found is None:
        return
    if found.clear:
        where = ", ".join(f"{count} of {name}" for name, count in sorted(found.clear.items()))
        yield finding.note(
            "sealing at rest",
            f"{found.sealed} values are sealed, and in the clear are {where}",
            "the next start seals them where an upgrade left them; else `python -m "
            "sentienguard.controlplane --data DIR --rotate-data-keys`, without a control plane of "
            "an earlier release beside it",
        )
        return
    columns = sum(map(len, sealing_report.CLEAR.values()))
    yield finding.ok(
        "sealing at rest",
        f"all {found.sealed} values of {found.columns} columns; {columns} columns with words "
        "stay in the clear",
    )


def signed(places: Places) -> Iterator[Finding]:
    """Look whether hosts would take our orders: who signs, until when, and what may run."""
    bundle = trust_exchange.read(places.centre)
    found = trust_view.document(bundle, datetime.now(UTC))
    evaluation = trust_store.evaluation_mark(places.centre).exists()
    yield _documents(found, evaluation=evaluation)
    if not found["root"]["roles"]["signer"]["keys"]:
        yield finding.wrong(
            "signer",
            "the root names no signer: no playbook can be added or renewed",
            "`sentienguard trust rotate FILE --new signer=PATH`, have the root signed, "
            "`sentienguard trust import FILE`",
        )
    listed = found["catalogue"]["playbooks"]
    allowed = [one for one in listed if not one["revoked"]]
    if allowed:
        yield finding.ok("playbooks", f"{len(allowed)} may run, {found['proving']} proven")
    else:
        gone = f"all {len(listed)} are revoked" if listed else "the catalogue lists none"
        yield finding.wrong(
            "playbooks",
            f"{gone}: incidents are told to people and nothing else",
            "`sentienguard trust rotate FILE --list playbook.yaml`, have it signed, "
            "`sentienguard trust import FILE`",
        )


def _documents(found: dict[str, Any], *, evaluation: bool) -> Finding:
    root_days = found["root"]["expires_in_days"]
    catalogue_days = found["catalogue"]["expires_in_days"]
    detail = f"root valid for {root_days} days, catalogue for {catalogue_days}"
    if not found["complete"]:
        detail = found["problem"]
    if found["complete"] and min(root_days, catalogue_days) >= LEAST_DAYS_LEFT:
        return finding.ok("signed documents", detail)
    return finding.wrong(
        "signed documents",
        detail,
        "`sentienguard down` and `up` sign the catalogue again"
        if evaluation and root_days >= LEAST_DAYS_LEFT
        else "renew them with `sentienguard trust rotate FILE`, have them signed, then "
        "`sentienguard trust import FILE`",
    )


def embeddings(settings: Settings) -> Iterator[Finding]:
    """Look whether what compares meanings is there; without it decisions go by words alone."""
    mend = (
        "pip install -r requirements/models.txt and start again, or set `embeddings: off` in "
        f"{FILE_NAME} to go by words alone"
    )
    if settings.embeddings == "hosted":
        named, file = settings.embedding_key, settings.embedding_key_file
        yield _key("embeddings", named, file, settings.embedding_url)
        return
    if settings.embeddings == "off":
        yield finding.note(
            "embeddings", "off: words alone are compared, and less runs unattended",
            f"set `embeddings: offline` in {FILE_NAME}",
        )  # fmt: skip
        return
    try:
        model = minilm.installed()
    except embedder.ModelWrong as error:
        yield finding.wrong("embeddings", str(error), mend)
        return
    if model is None:
        yield finding.wrong("embeddings", "the model's weights are not installed", mend)
    else:
        yield finding.ok("embeddings", model.model)


def adviser(settings: Settings) -> Iterator[Finding]:
    """Look whether an adviser that is wanted can be asked."""
    if settings.adviser == "off":
        return
    if not settings.adviser_model:
        yield finding.wrong(
            "adviser", f"{settings.adviser}, but adviser_model is empty",
            f"name the model in {FILE_NAME}, or set `adviser: off`",
        )  # fmt: skip
        return
    of = settings.adviser_url or settings.adviser
    yield _key("adviser", settings.adviser_key, settings.adviser_key_file, of)


def people_certificate(settings: Settings) -> Iterator[Finding]:
    """Look at the certificate that people's browsers see."""
    if not settings.people_certificate:
        return
    name = "certificate for people"
    pair = (Path(settings.people_certificate), Path(settings.people_key))
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*pair)
        ends = certificates.life_of(certificates.first_of(pair[0].read_bytes()))[1]
    except (OSError, ValueError) as error:
        yield finding.wrong(
            name, f"{pair[0]} with {pair[1]}: {error}",
            "people_certificate has to be a PEM chain, people_key its PEM key, both readable",
        )  # fmt: skip
        return
    yield lasting(name, str(pair[0]), ends, "have it issued again and start the control plane")


def dashboard() -> Iterator[Finding]:
    """Look whether the dashboard was built."""
    if not (shipped.DASHBOARD / "index.html").exists():
        yield finding.note(
            "dashboard", "it was not built, a plain status page is served",
            "with Node 20.19 or later: `make up` builds it",
        )  # fmt: skip


def lasting(name: str, of: str, ends: datetime, mend: str) -> Finding:
    """Return how long a certificate is still good for."""
    days = (ends - datetime.now(UTC)).days
    if days < 0:
        return finding.wrong(name, f"{of} ended on {ends:%Y-%m-%d}", mend)
    if days < LEAST_DAYS_LEFT:
        return finding.note(name, f"{of} ends in {days} days", mend)
    return finding.ok(name, f"good until {ends:%Y-%m-%d}")


def _key(name: str, named: str, file: str, of: str) -> Finding:
    if named:  # by the control plane, whose stores and variables are not ours
        return finding.ok(name, f"{of}, with the secret {named}, fetched when it is used")
    if not file:
        return finding.ok(name, f"{of}, without a key")
    try:
        empty = not Path(file).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        return finding.wrong(name, f"the key file {file}: {error}", f"put the key of {of} there")
    if empty:
        return finding.wrong(name, f"the key file {file} is empty", f"put the key of {of} there")
    return finding.ok(name, f"{of}, with the key in {file}")
