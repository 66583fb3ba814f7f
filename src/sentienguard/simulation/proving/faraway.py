"""The objects of a `stage` that are beyond its host, as ports.remote_objects asks for them.

Called by `ports`. An act changes what the case's reactions say, and nothing else; a `restore` puts
back the facts that the case lists as the object's settings. The name of an act is the step, its
call and the object, such as `kubectl_rollout_undo shop/deployment/prod/web`; that of an undo has
`restore` before it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sentienguard.playbook import facts as vocabulary
from sentienguard.playbook import objects
from sentienguard.ports import facts, remote_objects
from sentienguard.simulation.proving import case as cases
from sentienguard.simulation.proving import stage as stages

if TYPE_CHECKING:
    from collections.abc import Mapping

_TAKES_S: Final = 1.0  # an act


@dataclass(slots=True)
class Remotes:
    """A ports.remote_objects.RemoteObjects."""

    stage: stages.Stage

    def allow(self, name: str) -> None:
        """Find the object in the case; see the port."""
        objects.read(name)
        self._known(name)

    def measure(self, name: str, fact: str) -> facts.Fact:
        """Tell what the case says; see the port."""
        known = vocabulary.lookup(fact)
        if known is None or objects.read(name).kind not in known.on:
            raise facts.UnknownFact(f"{fact} is not measured of {name}")
        self._known(name)
        held = self.stage.objects[name]
        if fact not in held:
            raise facts.UnknownFact(f"the case does not say the {fact} of {name}")
        return held[fact]

    def look(
        self, asked: remote_objects.Asked, effort: remote_objects.Effort
    ) -> remote_objects.Seen:
        """Return its settings; see the port."""
        del effort
        known = self._known(asked.object)
        return {name: self.stage.objects[asked.object][name] for name in known.settings}

    def rehearse(self, asked: remote_objects.Asked, effort: remote_objects.Effort) -> str:
        """Change nothing; see the port."""
        self.look(asked, effort)
        return "the object is there"

    def act(
        self,
        asked: remote_objects.Asked,
        seen: remote_objects.Seen,
        effort: remote_objects.Effort,
    ) -> remote_objects.Acted:
        """Let the case's reactions happen; see the port."""
        del seen
        self._acts(act_name(asked), asked.object, effort)
        return remote_objects.Acted(f"done: {act_name(asked)}")

    def restore(
        self,
        asked: remote_objects.Asked,
        seen: remote_objects.Seen,
        effort: remote_objects.Effort,
    ) -> remote_objects.Acted:
        """Put its settings back; see the port."""
        self._known(asked.object)
        self.stage.objects[asked.object].update(seen)
        self._acts(f"restore {act_name(asked)}", asked.object, effort)
        return remote_objects.Acted("as it was")

    def _acts(self, name: str, object_name: str, effort: remote_objects.Effort) -> None:
        self._known(object_name)
        self.stage.act(name, f"object {object_name}")
        self.stage.clock.sleep(min(effort.limit_s, _TAKES_S), effort.interrupt)
        self.stage.react(name)

    def _known(self, name: str) -> cases.Object:
        known: Mapping[str, cases.Object] = {one.name: one for one in self.stage.scene.objects}
        if name not in known:
            raise remote_objects.UnknownObject(f"this case has no object {name!r}")
        return known[name]


def act_name(asked: remote_objects.Asked) -> str:
    """Name an act as reactions do."""
    return " ".join(one for one in (asked.step, asked.call, asked.object) if one)
