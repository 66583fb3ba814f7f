"""Somebody who listens on the way and holds the centre's online keys.

Called by `world`. Replays what went by, seals it again, offers what was signed long ago, and signs
another history of the log. All of it has to be refused; the world notices what is not.
"""

import base64
from typing import TYPE_CHECKING, Any

from sentienguard.simulation import remedies
from sentienguard.stages.audit import checkpoint
from sentienguard.trust import order as orders

if TYPE_CHECKING:
    from sentienguard.simulation import site as sites
    from sentienguard.simulation import world as worlds


class Attacker:
    """Tries things."""

    def __init__(self, world: "worlds.World") -> None:
        """Prepare."""
        self._world = world
        self._chance = world.chance("attacker")

    def plan(self) -> None:
        """Put some attempts on the line of time."""
        world, chance = self._world, self._chance
        kinds = (
            self.replays, self.reseals, self.numbers_low, self.old_catalogue, self.other_history,
            self.misdirects,
        )  # fmt: skip
        for _ in range(chance.randint(2, 6)):
            at = chance.uniform(60.0, world.size.hours * 3600.0)
            site, kind = chance.choice(world.hosts), chance.choice(kinds)
            name = kind.__name__

            def tries(kind: Any = kind, site: "sites.Site" = site, name: str = name) -> None:
                if site.collector is not None and site.executor is not None and kind(site):
                    world.tally[f"attack {name}"] += 1

            world.scheduler.after(at, f"an attacker {name} at {site.name}", tries)

    def replays(self, site: "sites.Site") -> bool:
        """Bring an order again that went by."""
        return bool(site.wire) and self._bring(site, self._chance.choice(site.wire))

    def reseals(self, site: "sites.Site") -> bool:
        """Seal an order again that this host has judged, on a fresh ticket with a higher number."""
        return self._resealed(site, [one for one in site.wire if self._judged(site, one)], +50)

    def intercepts(self, site: "sites.Site", envelope: Any) -> bool:
        """Take an order off the way, and bring it on a ticket or with a number that is not due."""
        if self._chance.random() > 0.12 or site.collector is None:  # noqa: PLR2004 - odds
            return False
        invents = self._chance.random() < 0.5  # noqa: PLR2004 - even odds
        nonce = self._chance.randbytes(16).hex() if invents else ""
        low = self._chance.randint(0, 2)

        def brings(executor: Any) -> None:
            ticket = executor.ticket()["nonce"]
            site.watch.ticket(site.name, ticket, executor)
            highest = site.watch.hosts[site.name].highest
            self._world.tally["attack invented ticket" if invents else "attack used number"] += 1
            self._seal_and_bring(
                site, envelope, nonce or ticket, highest + 1 if invents else highest - low
            )

        site.collector_try(brings)
        return True

    def numbers_low(self, site: "sites.Site") -> bool:
        """Seal anything that went by again, on a fresh ticket with a number that has been used."""
        if not site.watch.hosts[site.name].highest:
            return False
        return self._resealed(site, site.wire, -self._chance.randint(0, 2))

    def misdirects(self, site: "sites.Site") -> bool:
        """Bring an order to a host that it is not for."""
        other = next((one for one in self._world.hosts if one is not site and one.wire), None)
        return other is not None and self._bring(site, other.wire[-1])

    def old_catalogue(self, site: "sites.Site") -> bool:
        """Offer a catalogue of before."""
        signed = remedies.signed()
        envelope = self._chance.choice(signed.offered[:-1])
        if site.executor is None:
            return False
        known = site.executor.vault.newest.version
        site.collector_try(
            lambda executor: executor.config(signed.root_envelope, envelope, signed.playbooks)
        )
        if site.executor is not None:
            site.watch.catalogue(site.name, site.executor.vault.catalogue_version)
        return known > 0

    def other_history(self, site: "sites.Site") -> bool:
        """Have a checkpoint witnessed that the log's key signed over something else."""
        if site.executor is None or site.collector is None:
            return False
        memory = site.executor.witness.memory
        if not memory.size:
            return False
        forged = checkpoint.Checkpoint(
            remedies.ORIGIN, memory.size + self._chance.randint(0, 9), self._chance.randbytes(32)
        )
        note = checkpoint.sign(forged, remedies.signed().log)
        proof = tuple(
            base64.b64encode(self._chance.randbytes(32)).decode()
            for _ in range(self._chance.randint(0, 4))
        )
        collector = site.collector
        site.collector_try(lambda _: collector.witness(note, proof, from_size=None))
        return True

    def _resealed(self, site: "sites.Site", known: list[Any], above: int) -> bool:
        if not known or site.collector is None:
            return False
        envelope = self._chance.choice(known)

        def brings(executor: Any) -> None:
            ticket = executor.ticket()["nonce"]
            site.watch.ticket(site.name, ticket, executor)
            self._seal_and_bring(
                site, envelope, ticket, site.watch.hosts[site.name].highest + above
            )

        site.collector_try(brings)
        return True

    @staticmethod
    def _seal_and_bring(site: "sites.Site", envelope: Any, nonce: str, seq: int) -> None:
        fresh = orders.SignedOrder(orders.claimed_order(envelope).order, nonce, max(1, seq))
        if site.collector is not None:
            site.collector.order(orders.seal_order(fresh, remedies.signed().dispatch))

    @staticmethod
    def _judged(site: "sites.Site", envelope: Any) -> bool:
        if site.executor is None:
            return False
        return orders.claimed_order(envelope).order.id in site.ever_judged

    def _bring(self, site: "sites.Site", envelope: Any) -> bool:
        collector = site.collector
        if collector is None:
            return False
        site.collector_try(lambda _: collector.order(envelope))
        return True
