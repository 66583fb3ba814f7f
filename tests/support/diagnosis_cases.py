"""Snapshots that are made up, one function for each kind of trouble."""

import random

MINUTE = 60_000
START = 1_700_000_000_000
ALERT = START + 120 * MINUTE
END = ALERT + 15 * MINUTE


def series(name, kind, before, after, *, onset=ALERT - 5 * MINUTE, metric=None, seed=0):
    """Give a reading each minute: around `before`, and from the onset on around `after`."""
    chance = random.Random(f"{name} {kind} {metric} {seed}")
    times = list(range(START, END, MINUTE))
    return {
        "object": name,
        "kind": kind,
        "name": metric or kind,
        "times_ms": times,
        "values": [
            (before if time < onset else after) * (1 + chance.uniform(-0.02, 0.02))
            for time in times
        ],
    }


def document(*, objects, symptom=None, **parts):
    """Give the JSON of a snapshot."""
    return {
        "v": 1,
        "id": "case",
        "since_ms": START,
        "until_ms": END,
        "symptom": symptom,
        "objects": [one if isinstance(one, dict) else {"name": one} for one in objects],
        **parts,
    }


def symptom(name, kind="latency", at_ms=ALERT):
    return {"object": name, "kind": kind, "at_ms": at_ms}


def edge(source, target, kind="call"):
    return {"source": source, "target": target, "kind": kind}


def trace(caller, callee, *, calls=60, usual_calls=60, **fields):
    return {
        "caller": caller,
        "callee": callee,
        "operation": f"/{callee}",
        "calls": calls,
        "usual_calls": usual_calls,
        **({"within": f"/{caller}"} if caller else {}),
        **fields,
    }


def line(name, text, *, count, usual, severity="info", operation=None):
    return {
        "object": name,
        "operation": f"/{name}" if operation is None else operation,
        "text": text,
        "severity": severity,
        "count": count,
        "usual": usual,
    }


def shop(slow, *, seed=0, **parts):
    """Give a shop of services that call one another, in which one is slow by itself."""
    calls = {"web": ["cart", "search", "pay"], "cart": ["store"], "search": ["index"], "pay": []}
    own = {"web": 5.0, "cart": 8.0, "search": 6.0, "pay": 20.0, "store": 3.0, "index": 4.0}

    def total(name, excess):
        return (
            own[name] + excess * (name == slow) + sum(total(c, excess) for c in calls.get(name, []))
        )

    return document(
        objects=sorted(own),
        symptom=symptom("web"),
        edges=[edge(source, target) for source in calls for target in calls[source]],
        series=[
            *(series(one, "latency", total(one, 0), total(one, 40), seed=seed) for one in own),
            *(series(one, "traffic", 100, 100, seed=seed) for one in own),
        ],
        **parts,
    )
