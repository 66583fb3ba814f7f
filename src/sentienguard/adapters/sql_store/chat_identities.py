"""Keep which person of a chat service has which account. Called through ports.chat_identities."""

from collections.abc import Sequence

from sqlalchemy import text

from sentienguard.adapters.sql_store import codec
from sentienguard.adapters.sql_store.connections import Connections
from sentienguard.ports.chat_identities import ChatIdentity, NotLinked

# Keep a link, in place of another one of that person.
LINK = text("""
    INSERT INTO chat_identities (service, team, person, account, made_by, made_us)
    VALUES (:service, :team, :person, :account, :made_by, :made_us)
    ON CONFLICT (service, team, person) DO UPDATE
    SET account = :account, made_by = :made_by, made_us = :made_us
""")

# The account of a person.
ACCOUNT = text("""
    SELECT account FROM chat_identities
    WHERE service = :service AND team = :team AND person = :person
""")

# Take a link away.
UNLINK = text("""
    DELETE FROM chat_identities WHERE service = :service AND team = :team AND person = :person
""")

# All links.
LIST = text("SELECT * FROM chat_identities ORDER BY service, team, person")


class SqlChatIdentities:
    """Links in the relational store; see ports.chat_identities."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def link(self, identity: ChatIdentity) -> None:
        """Keep a link; another one of the same person is replaced."""
        with self._connections.write() as transaction:
            transaction.change(
                LINK,
                service=identity.service,
                team=identity.team,
                person=identity.person,
                account=identity.account,
                made_by=identity.made_by,
                made_us=codec.micros(identity.made_at),
            )

    def account(self, service: str, team: str, person: str) -> str:
        """Return the account. Raises NotLinked."""
        with self._connections.read() as transaction:
            row = transaction.row(ACCOUNT, service=service, team=team, person=person)
        if row is None:
            raise _not_linked(service, team, person)
        return str(row.account)

    def unlink(self, service: str, team: str, person: str) -> None:
        """Take a link away. Raises NotLinked."""
        with self._connections.write() as transaction:
            if not transaction.change(UNLINK, service=service, team=team, person=person):
                raise _not_linked(service, team, person)

    def list(self) -> Sequence[ChatIdentity]:
        """Return all, by service, team and person."""
        with self._connections.read() as transaction:
            return tuple(
                ChatIdentity(
                    service=row.service,
                    team=row.team,
                    person=row.person,
                    account=row.account,
                    made_by=row.made_by,
                    made_at=codec.instant(row.made_us),
                )
                for row in transaction.rows(LIST)
            )


def _not_linked(service: str, team: str, person: str) -> NotLinked:
    return NotLinked(
        f"{service} {team[:40]!a}/{person[:40]!a} is linked to no account; an administrator links "
        f"it with sentienguard chat link {service} TEAM PERSON ACCOUNT"
    )
