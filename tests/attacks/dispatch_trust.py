"""Attacks on whom a host trusts: roots, their keys, and who signs what within which limits.

Called by dispatch_table; see dispatch_orders for the form.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sentienguard.trust import delegation, dsse
from sentienguard.trust import root as roots
from sentienguard.trust.keys import SigningKey
from tests.attacks import dispatch_catalogues as catalogues
from tests.attacks.dispatch_scene import EVIL, Attack, Scene, changed, sets, soon
from tests.support import execution
from tests.support.seed_dispatch import SeedScene, Signed

STOLEN = execution.key(41)  # one of three offline keys; the attacker has it
HONEST = (execution.key(42), execution.key(43))  # the other two; he has not


def _root(
    scene: Scene,
    *,
    signed: Sequence[SigningKey],
    version: int = 2,
    limits: Mapping[str, delegation.Delegation] | None = None,
    **changes: tuple[Sequence[SigningKey], int],
) -> Mapping[str, Any]:
    """Return a root; a change gives a role its keys and its threshold."""
    centre = scene.centre
    roles = {
        "root": ([centre.root_key], 1),
        "signer": ([centre.signer], 1),
        "dispatch": ([centre.dispatch], 1),
        "log": ([centre.log], 1),
        "approver": ([], 1),
        **changes,
    }
    payload = roots.payload(
        version=version,
        expires_at=soon(),
        roles={
            roots.RoleName(name): ([key.public for key in members], threshold)
            for name, (members, threshold) in roles.items()
        },
        log_origin=execution.ORIGIN,
        delegations=limits,
    )
    return dsse.seal(roots.PAYLOAD_TYPE, payload, signed)


def with_role(
    scene: Scene, root: Mapping[str, Any], role: str, key: SigningKey
) -> Mapping[str, Any]:
    """Return the root that follows another, one more key in a role, signed by the root key.

    Made by hand: the product's own code does not write some of them.
    """

    def add(found: dict[str, Any]) -> None:
        found["version"] += 1
        found["roles"][role]["keyids"].append(key.id)

    bare = {**changed(root, add), "signatures": []}
    return dsse.add_signature(bare, scene.centre.root_key)


# -- stolen offline keys ---------------------------------------------------------------------------


def _two_of_three(scene: Scene) -> None:
    """Enrol a host whose root wants two of three signers and two of three root keys."""
    three, two = [STOLEN, *HONEST], 2
    original = _root(scene, signed=three, version=1, root=(three, two), signer=(three, two))
    scene.centre.root_envelope = lambda **_: original
    scene.centre.signer, scene.centre.second_signer = HONEST
    scene.centre.threshold = two
    scene.up()


def one_signer_stolen(scene: Scene) -> int:
    """Sign one's own catalogue with the stolen key and with every key that is online."""
    _two_of_three(scene)
    evil = catalogues.evil_playbook(scene)
    scene.configure(
        scene.mark, evil, version=2, signers=[STOLEN, scene.centre.dispatch, scene.centre.log, EVIL]
    )
    return scene.send(evil)


def stolen_signature_twice(scene: Scene) -> int:
    """Let the stolen key sign twice, the second time under another signer's key id."""
    _two_of_three(scene)
    evil = catalogues.evil_playbook(scene)
    listed = execution.listed(scene.mark, evil)
    catalogue = scene.centre.catalogue_envelope(listed, version=2, signers=[STOLEN, STOLEN])
    catalogue["signatures"][1]["keyid"] = HONEST[0].id
    scene.configure(scene.mark, evil, catalogue=catalogue)
    return scene.send(evil)


def one_root_key_stolen(scene: Scene) -> int:
    """Name one's own signer in a root that the stolen root key signs."""
    _two_of_three(scene)
    root = _root(scene, signed=[STOLEN, EVIL], root=([EVIL], 1), signer=([EVIL], 1))
    evil = catalogues.evil_playbook(scene)
    scene.configure(scene.mark, evil, root=root, version=2, signers=[EVIL])
    return scene.send(evil)


# -- signers that are limited or struck off --------------------------------------------------------


def _limited(scene: Scene, **limits: tuple[str, ...]) -> None:
    """Enrol a host whose root limits one of two signers; its key is the stolen one."""
    centre = scene.centre
    original = _root(
        scene,
        signed=[centre.root_key],
        version=1,
        signer=([centre.signer, STOLEN], 1),
        limits={STOLEN.id: delegation.Delegation(**limits)},
    )
    centre.root_envelope = lambda **_: original
    scene.up()


def signer_outside_its_prefix(scene: Scene) -> int:
    """List one's own playbook with the stolen key of who signs for databases alone."""
    _limited(scene, prefixes=("db_",))
    evil = catalogues.evil_playbook(scene)
    scene.configure(evil, version=2, signers=[STOLEN])
    return scene.send(evil)


def signer_outside_its_environment(scene: Scene) -> int:
    """List one's own playbook with the stolen key of who signs for staging alone."""
    _limited(scene, environments=("staging",))
    evil = catalogues.evil_playbook(scene)
    scene.configure(evil, version=2, signers=[STOLEN])
    return scene.send(evil)


def _without_the_stolen_signer(scene: Scene) -> Mapping[str, Any]:
    """Enrol a host with two signers; return the root that strikes the stolen one off."""
    centre = scene.centre
    original = _root(
        scene, signed=[centre.root_key], version=1, signer=([centre.signer, STOLEN], 1)
    )
    centre.root_envelope = lambda **_: original
    scene.up()
    return _root(scene, signed=[centre.root_key], version=2)


def rotated_out_signer(scene: Scene) -> int:
    """List one's own playbook with the key of a signer who was struck off."""
    following = _without_the_stolen_signer(scene)
    assert scene.configure(scene.mark, root=following, version=2)
    evil = catalogues.evil_playbook(scene)
    scene.configure(scene.mark, evil, root=following, version=3, signers=[STOLEN])
    return scene.send(evil)


def catalogue_of_a_struck_signer_stays(scene: Scene) -> int:
    """Deliver the root that strikes a signer off only beside the catalogue that he signed."""
    following = _without_the_stolen_signer(scene)
    evil = catalogues.evil_playbook(scene)
    listing = scene.centre.catalogue_envelope(
        execution.listed(scene.mark, evil), version=2, signers=[STOLEN]
    )
    assert scene.configure(scene.mark, evil, catalogue=listing)
    scene.configure(scene.mark, evil, root=following, catalogue=listing)
    return scene.send(evil)


# -- roots -----------------------------------------------------------------------------------------


def root_replaced(scene: Scene) -> int:
    """Bring a root that says it follows, signed by the keys that it names itself."""
    scene.up()
    root = _root(scene, signed=[EVIL], root=([EVIL], 1), signer=([EVIL], 1))
    evil = catalogues.evil_playbook(scene)
    scene.configure(scene.mark, evil, root=root, version=2, signers=[EVIL])
    return scene.send(evil)


def seed_key_replaced(scene: SeedScene) -> int:
    scene.deliver(Signed.by(EVIL, scene.message().encoded()))
    return scene.effects()


def root_without_its_own_keys(scene: Scene) -> int:
    """Bring a root whose new keys never signed it, such as a draft of a rotation."""
    scene.up()
    root = _root(scene, signed=[scene.centre.root_key], root=([execution.key(44)], 1))
    evil = catalogues.evil_playbook(scene)
    scene.configure(scene.mark, evil, root=root, version=2)
    return scene.send(evil)


def first_root(scene: Scene) -> int:
    """Give a host that has no root yet one of the attacker's making."""
    scene.up()
    scene.agent.kill()
    for kept in (
        "executor/trust/root.json",
        "executor/trust/catalogue.json",
        "executor/state.json",
    ):
        (scene.agent.directory / kept).unlink()
    scene.agent.start()
    root = _root(scene, signed=[EVIL], root=([EVIL], 1), signer=([EVIL], 1))
    evil = catalogues.evil_playbook(scene)
    scene.configure(scene.mark, evil, root=root, signers=[EVIL])
    return scene.send(evil)


def retired_dispatch_key(scene: Scene) -> int:
    """Bring back the root in which a dispatch key stands that was since struck off."""
    scene.up()
    before, retired = scene.centre.root_envelope(version=1), scene.centre.dispatch
    scene.centre.dispatch = execution.key(45)
    assert scene.configure(scene.mark, root=scene.centre.root_envelope(version=2))
    scene.configure(scene.mark, root=before)
    scene.deliver(scene.centre.seal(scene.order(), dispatch=retired))
    return scene.effects()


def root_file_lost(scene: Scene) -> int:
    """Bring back the pinned root after the file of a later one was lost."""
    scene.up()
    before, retired = scene.centre.root_envelope(version=1), scene.centre.dispatch
    scene.centre.dispatch = execution.key(45)
    assert scene.configure(scene.mark, root=scene.centre.root_envelope(version=2))
    scene.agent.kill()
    (scene.agent.directory / "executor/trust/root.json").unlink()
    scene.agent.start()
    scene.configure(scene.mark, root=before)
    scene.deliver(scene.centre.seal(scene.order(), dispatch=retired))
    return scene.effects()


def another_root_of_the_version(scene: Scene) -> int:
    """Bring another root of the host's version: a draft that was signed, and then dropped."""
    scene.up()
    key = scene.centre.root_key
    assert scene.configure(scene.mark, root=_root(scene, signed=[key], version=2))
    dropped = _root(scene, signed=[key], version=2, signer=([scene.centre.signer, STOLEN], 1))
    evil = catalogues.evil_playbook(scene)
    scene.configure(scene.mark, evil, root=dropped, version=2, signers=[STOLEN])
    return scene.send(evil)


def broken_chain(scene: Scene) -> int:
    """Lead from the right root to one's own over a link that the right keys did not sign."""
    scene.up()
    evil = catalogues.evil_playbook(scene)
    link = _root(scene, signed=[EVIL], root=([EVIL], 1), version=2)
    root = _root(scene, signed=[EVIL], root=([EVIL], 1), signer=([EVIL], 1), version=3)
    scene.configure(
        scene.mark, evil, root=root, earlier=[scene.centre.root_envelope(), link],
        version=2, signers=[EVIL],
    )  # fmt: skip
    return scene.send(evil)


def online_key_as_a_signer(scene: Scene) -> int:
    """Have a root signed, by mistake or by deceit, that lists the dispatch key as a signer."""
    scene.up()
    root = with_role(scene, scene.centre.root_envelope(), "signer", scene.centre.dispatch)
    evil = catalogues.evil_playbook(scene)
    scene.configure(scene.mark, evil, root=root, version=2, signers=[scene.centre.dispatch])
    return scene.send(evil)


def expired_root_comes(scene: Scene) -> int:
    """Bring a root that expired, whose dispatch key has been sold since."""
    scene.up()
    sold = execution.key(46)
    scene.centre.dispatch = sold
    scene.configure(
        scene.mark,
        root=scene.centre.root_envelope(version=2, expires_at=soon() - timedelta(days=91)),
    )
    return scene.send()


ATTACKS = (
    Attack(
        "one of three signer keys stolen",
        one_signer_stolen,
        catalogues.seed_new_playbook,
        (*catalogues.AT_BOTH, *sets("signatures_are_counted")),
    ),
    Attack(
        "the stolen signer signs twice, once under another's key id",
        stolen_signature_twice,
        None,
        (*catalogues.AT_BOTH, *sets("key_counts_once", "signatures_are_counted")),
    ),
    Attack(
        "a root that expired",
        expired_root_comes,
        None,
        sets("root_expiry_at_the_door+root_current"),
    ),
    Attack(
        "the root replaced",
        root_replaced,
        seed_key_replaced,
        sets("root_is_chained"),
        seed_expected=0,
    ),
    Attack(
        "one of three root keys stolen",
        one_root_key_stolen,
        None,
        sets("root_is_chained", "signatures_are_counted"),
    ),
    Attack(
        "a root whose own keys did not sign it",
        root_without_its_own_keys,
        None,
        sets("root_signs_itself"),
    ),
    Attack("the first root by the control plane", first_root, None, sets("root_pinned")),
    Attack(
        "the root of before a key was struck off",
        retired_dispatch_key,
        None,
        sets("root_version_rises"),
    ),
    Attack(
        "a root with an online key among the signers",
        online_key_as_a_signer,
        None,
        sets("root_keys_apart"),
    ),
    Attack(
        "the pinned root again, where the file of a later one was lost",
        root_file_lost,
        None,
        sets("root_mark_survives"),
    ),
    Attack(
        "another root of the version that the host has",
        another_root_of_the_version,
        None,
        sets("root_version_rises"),
    ),
    Attack(
        "a chain of roots with a link of one's own", broken_chain, None, sets("root_is_chained")
    ),
    Attack(
        "a signer outside of its prefix",
        signer_outside_its_prefix,
        None,
        sets("catalogue_reach_at_the_door+delegated"),
    ),
    Attack(
        "a signer outside of its environment",
        signer_outside_its_environment,
        None,
        sets("delegated"),
    ),
    Attack("a signer who was struck off", rotated_out_signer, None, catalogues.AT_BOTH),
    Attack(
        "a signer is struck off while his catalogue is still delivered",
        catalogue_of_a_struck_signer_stays,
        None,
        sets("catalogue_signed", "root_counts_by_itself"),
    ),
)
