"""Attacks on what an order may ask of a host: values, guard, budget, marks of its owner.

Called by dispatch_table; see dispatch_orders for the form.
"""

from sentienguard.adapters.execution_journal_files import journal
from sentienguard.stages.execute import admission, memory
from sentienguard.trust import order as orders
from tests.attacks.dispatch_scene import BUDGET, Attack, Scene, sets
from tests.support.seed_dispatch import SeedScene

STORM = 20  # fresh orders, each of an incident of its own
HOSTILE = (
    "/etc",
    "/",
    "../etc",
    "{volume}/..",
    "{volume}/",
    "{volume}\n",
    "{volume}; touch {place}/effects",
    "$(touch {place}/effects)",
    "`touch {place}/effects`",
    "-oProxyCommand=touch {place}/effects",
    "--help",
    "*",
    "",
)


# -- values ----------------------------------------------------------------------------------------


def values_outside(scene: Scene) -> int:
    """Order a listed playbook with values that nobody signed, injections among them."""
    free = scene.remedy(guard="memory_percent >= 0%", budget=60)
    scene.up(free)
    for text in HOSTILE:
        value = text.format(volume=scene.volume, place=scene.place)
        try:
            scene.send(free, parameters={"mount": value})
        except orders.dsse.NotTrusted:
            continue  # no order can be written that way; the host would refuse its form
    return scene.effects()


def seed_values_outside(scene: SeedScene) -> int:
    return scene.send(parameters={"mount": f"x; echo injected >> {scene.place / 'effects'}"})


# -- the guard -------------------------------------------------------------------------------------


def fabricated_incident(scene: Scene) -> int:
    scene.fill(100)
    scene.up()
    return scene.send()


def seed_fabricated_incident(scene: SeedScene) -> int:
    return scene.send()  # detection is the control plane's; the agent measures nothing of its own


def facts_forged(scene: Scene) -> int:
    """Bring measured facts along, as they would have to be."""
    scene.fill(100)
    scene.up()
    return scene.send(facts={"disk_usage": "99"})


def facts_only_the_order_knows(scene: Scene) -> int:
    """Order a playbook whose guard also listens to what the order says."""
    scene.fill(100)
    loose = scene.remedy(guard="disk_usage > 50% or anomaly_sigma > 3")
    scene.up(loose)
    return scene.send(loose, facts={"anomaly_sigma": "12"})


def seed_facts_forged(scene: SeedScene) -> int:
    return scene.send(facts={"disk_usage": "99", "anomaly_sigma": "12"})


def tags_forged_over_the_owners(scene: Scene) -> int:
    """Say of a host that its owner tagged as primary that it is a replica."""
    remedy = scene.remedy(
        checks="pre_execution_checks:\n"
        "  - {name: replica, type: tag_check, tag: role, expect_value: replica}\n"
    )
    scene.up(remedy, tags={"role": "primary"})
    return scene.send(remedy, facts={"tag.role": "replica"})


def tags_invented_for_the_guard(scene: Scene) -> int:
    """Give a host that bears no such tag the one that the guard asks for."""
    remedy = scene.remedy(guard="disk_usage > 50% and tag.role == replica")
    scene.up(remedy)
    return scene.send(remedy, facts={"tag.role": "replica"})


def seed_tags_forged(scene: SeedScene) -> int:
    return scene.send(tags={"role": "replica"})


# -- what the owner of the host said ---------------------------------------------------------------


def excluded_host(scene: Scene) -> int:
    scene.up(host="db-1.FROZEN")
    return scene.send(facts={"tag.host": "web-1"})


def seed_excluded_host(scene: SeedScene) -> int:
    return scene.send()  # exclusions are policy of the control plane


def during_a_freeze(scene: Scene) -> int:
    scene.up()
    (scene.agent.directory / "do-not-remediate").touch()
    return scene.send()


def seed_during_a_freeze(scene: SeedScene) -> int:
    (scene.place / "do-not-remediate").touch()
    return scene.send()


def maintenance_denied(scene: Scene) -> int:
    """Say of a host in maintenance that it is in none."""
    scene.up(tags={"maintenance_mode": "true"})
    return scene.send(facts={"tag.maintenance_mode": "false"})


# -- how often -------------------------------------------------------------------------------------


def restart_storm(scene: Scene) -> int:
    scene.up()
    for _ in range(STORM):
        scene.send()
    return scene.effects()


def seed_restart_storm(scene: SeedScene) -> int:
    for _ in range(STORM):
        scene.send()
    return scene.effects()


def storm_across_restarts(scene: Scene) -> int:
    """Let the executor die between orders, which nobody can do from afar, and restart."""
    scene.up()
    for _ in range(BUDGET + 2):
        scene.send()
        scene.restart()
    return scene.effects()


def storm_across_versions(scene: Scene) -> int:
    """Order several signed versions of one playbook, one after another."""
    versions = [scene.remedy(version=f"1.{n}.0") for n in range(BUDGET + 2)]
    scene.up(*versions)
    for one in versions:
        scene.send(one)
    return scene.effects()


def storm_of_many_playbooks(scene: Scene) -> int:
    """Order what is within its own budget on a host that others kept busy for an hour."""
    scene.up()
    scene.agent.kill()
    now_ms = int(scene.centre.now.timestamp() * 1000)
    busy = memory.Memory(starts=[("other", now_ms)] * admission.HOST_PER_HOUR)
    file = journal.JournalFile(scene.agent.directory / "executor" / "journal.log")
    file.append(list(busy.compacted()), durable=True)
    file.close()
    scene.agent.start()
    return scene.send()


def never_acknowledged(scene: Scene) -> int:
    """Never take a host's events, so that what it does is told to nobody."""
    scene.up()
    scene.agent.kill()
    event = {"t": "event", "digest": "00" * 32, "blobs": [], "leaf": "x" * 100_000, "sig": ""}
    file = journal.JournalFile(scene.agent.directory / "executor" / "journal.log")
    file.append([{**event, "seq": number} for number in range(1, 50)], durable=True)
    file.close()
    scene.agent.start()
    return scene.send()


ATTACKS = (
    Attack(
        "values outside the signed ones, injections among them",
        values_outside,
        seed_values_outside,
        sets("parameter_values"),
    ),
    Attack(
        "fabricated incident, the guard is false",
        fabricated_incident,
        seed_fabricated_incident,
        sets("guard_holds"),
    ),
    Attack(
        "fresh orders without end (20 were sent)",
        restart_storm,
        seed_restart_storm,
        sets("within_budget"),
        seed_expected=STORM,
        residual=BUDGET,
    ),
    Attack(
        "fresh orders without end, the executor restarting",
        storm_across_restarts,
        None,
        sets("within_budget", "budget_survives"),
        residual=BUDGET,
    ),
    Attack(
        "fresh orders for each version of a playbook",
        storm_across_versions,
        None,
        sets("within_budget"),
        residual=BUDGET,
    ),
    Attack(
        "on a host with 120 starts in the last hour",
        storm_of_many_playbooks,
        None,
        sets("within_budget"),
    ),
    Attack(
        "measured facts forged in the order",
        facts_forged,
        seed_facts_forged,
        sets("guard_holds", "guard_hears_no_order+facts_are_measured"),
    ),
    Attack(
        "a guard that listens to the order",
        facts_only_the_order_knows,
        seed_facts_forged,
        sets("guard_holds", "guard_hears_no_order"),
    ),
    Attack(
        "tags forged over those of the host's owner",
        tags_forged_over_the_owners,
        seed_tags_forged,
        sets("own_tags_outrank"),
    ),
    Attack(
        "tags invented for the guard",
        tags_invented_for_the_guard,
        seed_tags_forged,
        sets("guard_holds", "guard_hears_no_order"),
    ),
    Attack(
        "on a host that its author excluded",
        excluded_host,
        seed_excluded_host,
        sets("not_excluded"),
    ),
    Attack(
        "on a host marked do-not-remediate",
        during_a_freeze,
        seed_during_a_freeze,
        sets("not_forbidden+mark_stops_what_runs"),
        seed_expected=0,
    ),
    Attack(
        "in maintenance, with a forged tag",
        maintenance_denied,
        None,
        sets("not_forbidden+mark_stops_what_runs"),
    ),
    Attack(
        "events never acknowledged, so that nobody hears",
        never_acknowledged,
        None,
        sets("journal_works"),
    ),
)
