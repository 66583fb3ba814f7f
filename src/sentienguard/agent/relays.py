"""The targets of this relay agent, all together: a ports.remote_objects.RemoteObjects.

Called by `executor`. Which adapter is for which kind of target is said here and nowhere else; an
adapter is loaded only where a target of its kind is declared, so that an executor that is no relay
pays nothing.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, assert_never

from sentienguard.agent import relay_settings
from sentienguard.playbook import facts as vocabulary
from sentienguard.playbook import objects
from sentienguard.ports import command_runner, facts, remote_objects

if TYPE_CHECKING:
    from sentienguard.adapters.remote_programs import target


class Target(Protocol):
    """One target: as the port, with the object's name taken apart and known to be its own."""

    def allow(self, name: objects.Name) -> None:
        """Check that its owner lets us act on this object. Raises UnknownObject."""

    def measure(self, name: objects.Name, fact: str) -> facts.Fact:
        """Measure one fact; see the port."""

    def look(
        self, asked: remote_objects.Asked, effort: remote_objects.Effort
    ) -> remote_objects.Seen:
        """Return what `act` and `restore` need; see the port."""

    def rehearse(self, asked: remote_objects.Asked, effort: remote_objects.Effort) -> str:
        """Say what would happen; see the port."""

    def act(
        self,
        asked: remote_objects.Asked,
        seen: remote_objects.Seen,
        effort: remote_objects.Effort,
    ) -> remote_objects.Acted:
        """Do it; see the port."""

    def restore(
        self,
        asked: remote_objects.Asked,
        seen: remote_objects.Seen,
        effort: remote_objects.Effort,
    ) -> remote_objects.Acted:
        """Put it back; see the port."""


class Relays:
    """The declared targets of one host."""

    def __init__(
        self,
        declared: Mapping[str, relay_settings.Target],
        commands: command_runner.CommandRunner,
    ) -> None:
        """Make a target of each; nobody is asked yet."""
        self._kinds = {name: one.kind for name, one in declared.items()}
        self._targets = {name: _target(one, commands) for name, one in declared.items()}

    def allow(self, name: str) -> None:
        """Check one name; see the port."""
        self._of(objects.read(name))

    def measure(self, name: str, fact: str) -> facts.Fact:
        """Measure one fact; see the port."""
        whole = objects.read(name)
        known = vocabulary.lookup(fact)
        if known is None or whole.kind not in known.on:
            raise facts.UnknownFact(f"{fact} is not measured of a {whole.kind}")
        return self._of(whole).measure(whole, fact)

    def look(
        self, asked: remote_objects.Asked, effort: remote_objects.Effort
    ) -> remote_objects.Seen:
        """Look at the object; see the port."""
        return self._for(asked).look(asked, effort)

    def rehearse(self, asked: remote_objects.Asked, effort: remote_objects.Effort) -> str:
        """Say what would happen; see the port."""
        return self._for(asked).rehearse(asked, effort)

    def act(
        self,
        asked: remote_objects.Asked,
        seen: remote_objects.Seen,
        effort: remote_objects.Effort,
    ) -> remote_objects.Acted:
        """Do it; see the port."""
        return self._for(asked).act(asked, seen, effort)

    def restore(
        self,
        asked: remote_objects.Asked,
        seen: remote_objects.Seen,
        effort: remote_objects.Effort,
    ) -> remote_objects.Acted:
        """Put it back; see the port."""
        return self._for(asked).restore(asked, seen, effort)

    def _for(self, asked: remote_objects.Asked) -> Target:
        name = objects.read(asked.object)
        if objects.act(asked.step, asked.call, name.kind) is None:
            raise remote_objects.UnknownObject(
                f"{asked.step} {asked.call} does nothing to a {name.kind}"
            )
        return self._of(name)

    def _of(self, name: objects.Name) -> Target:
        vendor = objects.KINDS[name.kind].vendor
        if self._kinds.get(name.target) != vendor:
            known = sorted(one for one, kind in self._kinds.items() if kind == vendor)
            raise remote_objects.UnknownObject(
                f"{name}: this relay has no {vendor} target {name.target!r}; it has "
                f"{', '.join(known) or 'none'}"
            )
        target = self._targets[name.target]
        target.allow(name)
        return target


def _target(declared: relay_settings.Target, commands: command_runner.CommandRunner) -> Target:
    # Loaded where they are declared: ssl and http.client alone are 4 MB.
    if isinstance(declared, relay_settings.Kubernetes):
        return _cluster(declared)
    from sentienguard.adapters.remote_programs import target  # noqa: PLC0415 - see above

    vendor = _vendor(declared, commands)
    if isinstance(declared, relay_settings.Ssh):
        return target.Target(vendor, tuple(f"remote_unit/{unit}" for unit in declared.units))
    return target.Target(vendor, declared.objects)


def _cluster(declared: relay_settings.Kubernetes) -> Target:
    from sentienguard.adapters.kubernetes import api, target  # noqa: PLC0415 - see _target

    credentials = api.Credentials(
        declared.server,
        declared.ca_file,
        declared.token_file,
        declared.certificate_file,
        declared.key_file,
    )
    return target.Cluster(credentials, frozenset(declared.namespaces), nodes=declared.nodes)


def _vendor(
    declared: relay_settings.Aws | relay_settings.Gcp | relay_settings.Azure | relay_settings.Ssh,
    commands: command_runner.CommandRunner,
) -> "target.Vendor":
    from sentienguard.adapters.remote_programs import aws, azure, gcloud, ssh  # noqa: PLC0415

    match declared:
        case relay_settings.Aws():
            account = aws.Account(
                declared.region,
                declared.profile,
                declared.config_file,
                declared.credentials_file,
                declared.endpoint,
            )
            return aws.Aws(account, commands)
        case relay_settings.Gcp():
            return gcloud.Gcloud(
                declared.program, declared.project, declared.config_directory, commands
            )
        case relay_settings.Azure():
            return azure.Azure(
                declared.program, declared.subscription, declared.config_directory, commands
            )
        case relay_settings.Ssh():
            login = ssh.Login(
                declared.host,
                declared.port,
                declared.user,
                declared.key_file,
                declared.known_hosts_file,
                declared.systemctl,
            )
            return ssh.Ssh(login, commands)
        case never:
            assert_never(never)
