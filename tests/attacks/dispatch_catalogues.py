"""Attacks on what a host may run: catalogues, and the playbooks that they list.

Called by dispatch_table; see dispatch_orders for the form.
"""

from sentienguard.model import ids
from tests.attacks.dispatch_scene import Attack, Scene, retagged, sets, soon
from tests.support import execution
from tests.support.seed_dispatch import SeedScene

AT_BOTH = sets("catalogue_signature_at_the_door+catalogue_signed")


def evil_playbook(scene: Scene):
    """Write the attacker's own playbook: what it does needs no guard, only the host's obedience."""
    return scene.remedy("evil")


def new_playbook(scene: Scene) -> int:
    """List a playbook of one's own, and sign with every key that is online."""
    scene.up()
    evil = evil_playbook(scene)
    online = [scene.centre.dispatch, scene.centre.log]
    scene.configure(scene.mark, evil, version=2, signers=online)
    return scene.send(evil)


def seed_new_playbook(scene: SeedScene) -> int:
    scene.sync("1.0.0", "evil", playbook="evil")
    return scene.send(playbook="evil")


def order_for_what_is_not_listed(scene: Scene) -> int:
    """Order a playbook that signers dropped, whose file a crash left on the host."""
    old = scene.remedy("dropped")
    scene.up(scene.mark, old)
    file = scene.agent.directory / f"executor/trust/playbooks/{old.digest[7:]}.yaml"
    kept = file.read_bytes()
    scene.configure(scene.mark, version=2)
    file.write_bytes(kept)
    return scene.send(old)


def seed_dropped(scene: SeedScene) -> int:
    return scene.send()  # the cache keeps it as long as the control plane wants


def content_swapped(scene: Scene) -> int:
    """Send other bytes under a listed digest, name and version."""
    scene.up()
    evil = scene.remedy(guard="disk_usage > 0%")
    scene.remedies[scene.mark.digest] = scene.remedies[evil.digest]
    scene.configure(scene.mark, version=2)
    scene.fill(1)  # the listed playbook's own guard is false
    return scene.send()


def seed_content_swapped(scene: SeedScene) -> int:
    scene.sync("1.0.0", "evil")
    return scene.send()


def content_altered_on_disk(scene: Scene) -> int:
    """Order a playbook whose file was damaged, or written by another program of this host."""
    scene.up()
    evil = scene.remedy(guard="disk_usage > 0%")
    (file,) = (scene.agent.directory / "executor/trust/playbooks").iterdir()
    file.write_bytes(scene.remedies[evil.digest])
    scene.fill(1)
    return scene.send()


def another_name(scene: Scene) -> int:
    """Order a playbook under the name that a catalogue gives it, which is not its own."""
    scene.up()
    listed = [retagged(scene.mark, name=ids.PlaybookName("harmless"))]
    scene.configure(scene.mark, listed=listed, version=2)
    return scene.send(playbook=ids.PlaybookName("harmless"))


def another_version(scene: Scene) -> int:
    """Order a playbook under its own version where the catalogue lists it under another."""
    scene.up()
    scene.configure(scene.mark, listed=[retagged(scene.mark, version="0.9.0")], version=2)
    return scene.send()


def revoked(scene: Scene) -> int:
    scene.up()
    scene.configure(scene.mark, listed=[retagged(scene.mark, revoked=True)], version=2)
    return scene.send()


def catalogue_rolled_back(scene: Scene) -> int:
    """Bring back the catalogue of before the revocation, after a restart."""
    scene.up()
    before = scene.centre.catalogue_envelope(execution.listed(scene.mark), version=1)
    scene.configure(scene.mark, listed=[retagged(scene.mark, revoked=True)], version=2)
    scene.restart()
    scene.configure(scene.mark, catalogue=before)
    return scene.send()


def catalogue_under_the_same_number(scene: Scene) -> int:
    """Bring another catalogue of the newest version, which signers once made and withdrew."""
    scene.up()
    other = scene.remedy("withdrawn")
    scene.configure(scene.mark, other, version=1)
    return scene.send(other)


def catalogue_expires(scene: Scene) -> int:
    """Keep a host on its catalogue beyond its time, by withholding every later one."""
    scene.up(clocked=True)
    scene.configure(scene.mark, version=2, expires_at=soon(1))
    scene.later(2 * 86_400)
    return scene.send()


def expired_catalogue_comes(scene: Scene) -> int:
    """Give a new host a catalogue of last year."""
    scene.up(clocked=True)
    scene.configure(scene.mark, version=2, expires_at=soon(-1))
    old = scene.remedy("old")
    scene.configure(scene.mark, old, version=3, expires_at=soon(-1))
    return scene.send(old)


def root_expires(scene: Scene) -> int:
    """Keep a host on its root beyond its time: a stolen key is never struck off."""
    scene.up(clocked=True)
    scene.configure(scene.mark, version=2, expires_at=soon(500))
    scene.later(100 * 86_400)
    return scene.send()


def downgraded(scene: Scene) -> int:
    """Order the version with the hole, still listed, after the host ran a later one."""
    new = scene.remedy(version="1.1.0")
    old = scene.remedy(version="1.0.9")
    scene.up(old, new)
    scene.send(new)
    scene.restart()
    return scene.send(old) - 1


def seed_downgraded(scene: SeedScene) -> int:
    scene.sync("1.1.0")
    scene.send(version="1.1.0")
    return scene.send(version="1.0.0") - 1


def unknown_kind(scene: Scene) -> int:
    """Order a playbook for a later executor, whose second step this one cannot do."""
    more = (
        "  - {name: later, action: kubectl_rollout_restart, resource: deployment,"
        " object_name: web, rollback: {skip: x}}\n"
    )
    later = scene.remedy("later", more=more)
    scene.up(scene.mark, later)
    return scene.send(later)


ATTACKS = (
    Attack("a new playbook by the control plane's keys", new_playbook, seed_new_playbook, AT_BOTH),
    Attack(
        "other content under a listed name and version",
        content_swapped,
        seed_content_swapped,
        sets("playbook_digest_at_the_door+stored_bytes"),
    ),
    Attack(
        "an older version, signed and listed",
        downgraded,
        seed_downgraded,
        sets("version_not_lower"),
    ),
    Attack("a playbook that is revoked", revoked, seed_dropped, sets("not_revoked")),
    Attack(
        "a playbook dropped from the catalogue, its file still there",
        order_for_what_is_not_listed,
        seed_dropped,
        sets("listed"),
    ),
    Attack("listed under another version", another_version, None, sets("listed")),
    Attack("a playbook under a name that is not its own", another_name, None, sets("reads")),
    Attack(
        "the file of a playbook altered on disk",
        content_altered_on_disk,
        None,
        sets("stored_bytes"),
    ),
    Attack(
        "a playbook with a step that this release lacks", unknown_kind, None, sets("kinds_known")
    ),
    Attack(
        "the catalogue of before a revocation",
        catalogue_rolled_back,
        seed_dropped,
        sets("catalogue_version_at_the_door+catalogue_newest"),
    ),
    Attack(
        "another catalogue under the newest number",
        catalogue_under_the_same_number,
        None,
        sets("catalogue_version_at_the_door+catalogue_newest"),
    ),
    Attack(
        "no later catalogue, until this one has expired",
        catalogue_expires,
        seed_dropped,
        sets("catalogue_current"),
    ),
    Attack(
        "a catalogue that expired",
        expired_catalogue_comes,
        seed_dropped,
        sets("catalogue_expiry_at_the_door+catalogue_current"),
    ),
    Attack("no later root, until this one has expired", root_expires, None, sets("root_current")),
)
