"""The workflows' records are sealed, go under new keys, and wait for a key that is missing.

On a SQLite file and in PostgreSQL, with the engine, data keys and DBOS as they are.
"""

import contextlib
import json
import logging

import pytest
import sqlalchemy
from sqlalchemy import text

from sentienguard.adapters.key_keepers import local_file
from sentienguard.adapters.sql_store import open_database, sealing_report, workflow_records
from sentienguard.controlplane import engine, event_codec
from sentienguard.flow import incident as flow
from sentienguard.model import errors
from sentienguard.model.decision import Route
from sentienguard.model.incident import Outcome
from sentienguard.model.order import ExecutionOutcome
from sentienguard.ports import sealing
from sentienguard.trust import sealed
from tests.integration.controlplane import test_controlplane_engine as cases
from tests.servers import postgresql

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
INCIDENT, until = cases.INCIDENT, cases.until
REASON, QUESTION, NOTE = "canary-reason-of-host", "canary: may I?", "canary-note of ada"
CANARIES = [one.encode() for one in (REASON, QUESTION, NOTE)]


class World(cases.World):
    """Decides with texts that would be found."""

    def decide(self, incident, question):
        found = super().decide(incident, question)
        asked = cases.Approval(
            found.approval.id, incident, "drill", found.order.playbook, found.order.digest,
            QUESTION, REASON, self.now(), self.now() + self.expires_in,
        )  # fmt: skip
        return flow.Decided(found.at, Route.ASK, REASON, found.order, asked)


@pytest.fixture(scope="module")
def server():
    if (reason := postgresql.missing()) is not None:
        pytest.skip(reason)
    with postgresql.running() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    """Return a directory for stores, and the URL of their database."""
    (tmp_path / "store").mkdir()
    if request.param == "postgresql":
        return tmp_path / "store", request.getfixturevalue("server").new_database()
    return tmp_path / "store", f"sqlite:///{tmp_path}/store/store.db"


@pytest.fixture
def keeper(tmp_path):
    return local_file.LocalFile(tmp_path / "data.key")


def opened(place, keeper=None):
    directory, url = place
    return contextlib.closing(open_database(url, keeper, workflows=directory / "flow.db"))


@contextlib.contextmanager
def running(place, world, sealer=None):
    directory, url = place
    records = directory / "flow.db" if url.startswith("sqlite") else url
    made = engine.Engine(records, world, sealer=sealer)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def asks(world):
    return any(isinstance(deed, flow.OpenApproval) for deed in world.deeds)


def answer(made, world):
    """Let the incident hear a yes with a note."""
    until(lambda: asks(world), "a question")
    made.tell(INCIDENT, flow.Answered(approved=True, by="ada", note=NOTE), key="answer")


def end(made, world):
    """Let it hear the end of its order, and close."""
    until(world.releases, "a release")
    order = world.order(INCIDENT).id
    ended = flow.OrderEnded(world.now(), order, ExecutionOutcome.SUCCESS, REASON)
    made.tell(INCIDENT, ended, key="ended")
    made.tell(INCIDENT, flow.Recovered(world.now()), key="recovered")
    assert world.closed.wait(15)
    assert world.outcome() is Outcome.RESOLVED


def half(place, sealer=None):
    """Let an incident ask, hear the answer, and stop where its intent cannot be recorded.

    A thread that waits for an answer would hold this process: what waits here is a step.
    """
    world = World(Route.ASK)
    world.failing = 1_000_000
    with running(place, world, sealer) as made:
        made.begin(INCIDENT)
        answer(made, world)
        until(lambda: world.failing < 1_000_000, "an intent")
    world.failing = 0
    return world


def records(place):
    """Return everything that the workflows' tables hold, as text."""
    database, schema = database_of(place)
    with database.connect() as connection:
        tables = sqlalchemy.inspect(connection).get_table_names(schema=schema[:-1] or None)
        found = [
            repr(tuple(row))  # a row of its own leaves out the middle of a long text
            for table in tables
            for row in connection.execute(text(f'SELECT * FROM {schema}"{table}"'))
        ]
    database.dispose()
    return "\n".join(found)


def clear(place):
    """Return which canaries are to be read in the records, or in any file of the stores."""
    everything = records(place).encode()
    for path in place[0].rglob("*"):
        everything += path.read_bytes()
    return {canary for canary in CANARIES if canary in everything}


def database_of(place):
    """Return an engine on the workflows' tables, and what stands before their names."""
    directory, url = place
    if url.startswith("sqlite"):
        return sqlalchemy.create_engine(f"sqlite:///{directory}/flow.db"), ""
    return sqlalchemy.create_engine(url.replace("://", "+psycopg://", 1)), f"{engine.SCHEMA}."


def ask(place, statement, **values):
    """Run a statement on the workflows' tables; return its rows, or how many it changed."""
    database, schema = database_of(place)
    with database.begin() as connection:
        found = connection.execute(text(statement.format(schema=schema)), values)
        answer = found.all() if found.returns_rows else found.rowcount
    database.dispose()
    return answer


def test_no_text_of_a_life_is_in_its_records_and_the_life_is_what_it_was(place, keeper):
    world = World(Route.ASK)
    with opened(place, keeper) as stores, running(place, world, stores.data_keys) as made:
        made.begin(INCIDENT)
        answer(made, world)
        end(made, world)
        assert clear(place) == set(), "with the write-ahead log"
        assert '"sg1.1.' in records(place)
    assert clear(place) == set()


def test_the_search_finds_each_text_where_nothing_seals(place):
    world = World(Route.ASK)
    with running(place, world) as made:
        made.begin(INCIDENT)
        answer(made, world)
        end(made, world)
        assert clear(place) == set(CANARIES)


OUTPUTS = "SELECT function_name, output FROM {schema}operation_outputs ORDER BY function_id"
MESSAGES = "SELECT message FROM {schema}notifications"
DECIDED = "UPDATE {schema}operation_outputs SET output = :it WHERE function_name = 'decide'"


def as_an_earlier_release(place):
    """Put what was recorded and sent as the release before this one did; return how much it was."""
    changed = 0
    for name, output in ask(place, OUTPUTS):
        if output and output.startswith('"{'):
            way = "UPDATE {schema}operation_outputs SET output = :new WHERE function_name = :name"
            changed += ask(place, way, new=json.loads(output), name=name)
    for (message,) in ask(place, MESSAGES):
        way = "UPDATE {schema}notifications SET message = :new WHERE message = :was"
        changed += ask(place, way, new=json.loads(message), was=message)
    return changed


@pytest.mark.parametrize("sealed_first", [True, False])
def test_what_an_earlier_release_recorded_goes_on(place, keeper, sealed_first):
    world = half(place)
    assert as_an_earlier_release(place) == 3, "the decision, the answer, and it again as heard"
    assert clear(place) == set(CANARIES)
    with opened(place, keeper) as stores:
        if sealed_first:
            assert clear(place) == set(), "overwritten in the file, and not in its log either"
        else:  # by a control plane that still ran
            decided = json.dumps(event_codec.encode(world.decide(INCIDENT, None)))
            assert ask(place, DECIDED, it=decided) == 1
        with running(place, world, stores.data_keys) as made:
            end(made, world)
    assert len([deed for deed in world.deeds if isinstance(deed, flow.OpenApproval)]) == 1


def test_rotation_beside_a_running_engine_puts_the_records_under_the_new_key(place, keeper):
    world = World(Route.ASK)
    with opened(place, keeper) as stores, running(place, world, stores.data_keys) as made:
        made.begin(INCIDENT)
        until(lambda: asks(world), "a question")
        with opened(place, keeper) as other:  # as --rotate-data-keys does it
            assert other.data_keys.rotate().resealed == 1, "the decision; there is nothing else"
        assert '"sg1.1.' not in records(place)
        answer(made, world)
        end(made, world)
        done = stores.data_keys.rotate()
        assert done.resealed == 8, "decided, released, three messages, each also as it was heard"
        assert '"sg1.2.' not in records(place)


def test_what_was_resealed_goes_on_after_the_next_start(place, keeper):
    with opened(place, keeper) as stores:
        world = half(place, stores.data_keys)
        assert stores.data_keys.rotate().resealed == 3
        assert '"sg1.1.' not in records(place)
        with running(place, world, stores.data_keys) as made:
            end(made, world)


def test_a_record_that_was_moved_is_waited_for_and_named(place, keeper, caplog):
    said = flow.Decided(cases.datetime.now(cases.UTC), Route.ESCALATE, "another's")
    with opened(place, keeper) as stores:
        world = half(place, stores.data_keys)
        mine = dict(map(tuple, ask(place, OUTPUTS)))["decide"]
        elsewhere = sealing.step_place("inc_of_another", "decide")
        theirs = event_codec.SealedEvents(stores.data_keys).seal(said, elsewhere)
        assert ask(place, DECIDED, it=json.dumps(theirs)) == 1
        with running(place, world, stores.data_keys), caplog.at_level(logging.WARNING):
            until(lambda: f"{INCIDENT}/decide cannot be opened" in caplog.text, "a complaint")
            assert "restore its row" in caplog.text
            assert world.releases() == []
        assert ask(place, DECIDED, it=mine) == 1  # restored from the backup
        with running(place, world, stores.data_keys) as made:
            end(made, world)


def test_another_wrapping_key_is_refused_at_the_start_and_named(place, keeper, tmp_path):
    with opened(place, keeper) as stores:
        half(place, stores.data_keys)
    (tmp_path / "data.key").unlink()
    keeper.add()
    with pytest.raises(errors.Broken, match=r"data\.key"):
        open_database(place[1], keeper, workflows=place[0] / "flow.db")


def test_a_record_opens_in_its_own_place_only_and_with_its_keeper(keeper, tmp_path):
    own, url = sealing.message_place(INCIDENT), f"sqlite:///{tmp_path}/store.db"
    said = flow.Answered(approved=False, by="ada", note=NOTE)
    with contextlib.closing(open_database(url, keeper)) as stores:
        events = event_codec.SealedEvents(stores.data_keys)
        kept = events.seal(said, own)
        assert NOTE not in kept
        assert events.open(kept, own) == said
        assert events.open(event_codec.encode(said), own) == said, "of an earlier release"
        for place in (sealing.message_place("other"), sealing.step_place(INCIDENT, "decide")):
            with pytest.raises(sealed.NotSealedByThis, match="moved from another row"):
                events.open(kept, place)
    with contextlib.closing(open_database(url)) as stores:
        events = event_codec.SealedEvents(stores.data_keys)
        with pytest.raises(errors.Broken, match="is sealed; open it as its control plane does"):
            events.open(kept, own)


def test_a_fault_of_ours_leaves_its_class_and_none_of_its_words(place, keeper, caplog):
    class Faulty(World):
        def decide(self, incident, question):
            raise ValueError(REASON)

    with opened(place, keeper) as stores, running(place, Faulty(), stores.data_keys) as made:
        made.begin(INCIDENT)
        until(lambda: "ERROR" in records(place), "the end of the workflow")
        assert clear(place) == set()
        assert "decide failed with ValueError" in records(place)
    assert REASON in caplog.text, "the output says what it was"


@pytest.mark.parametrize("sealing_too", [True, False])
def test_the_records_are_counted_without_a_key(place, keeper, sealing_too):
    directory, url = place
    with opened(place, keeper) as stores:
        half(place, stores.data_keys if sealing_too else None)
    if not sealing_too:
        as_an_earlier_release(place)
    found = sealing_report.look(url, workflows=directory / "flow.db")
    assert found.sealed == (3 if sealing_too else 0)
    assert found.clear == ({} if sealing_too else {sealing_report.WORKFLOWS: 3})


def test_the_engine_and_who_seals_its_records_name_one_schema():
    assert workflow_records.SCHEMA == engine.SCHEMA
