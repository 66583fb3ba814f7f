"""What the pretend world found in the product, each with the shortest way to it."""

import pytest

from sentienguard.flow import answers, dispatch
from sentienguard.flow import incident as flow
from sentienguard.model.approval import ApprovalStatus
from sentienguard.model.incident import Status
from sentienguard.ports import audit_log
from sentienguard.simulation import host, remedies, world

ILL = remedies.BY_NAME


@pytest.fixture
def calm():
    """A world with one host, in which nothing happens by itself."""
    made = world.World(1, world.Size(hosts=1, hours=1.0, ills_per_host_hour=1e-9))
    made.people._chance.random = lambda: 0.65  # nobody ever says anything
    made.start_centre()
    made.hosts[0].start()
    yield made
    made._end()


def until(made, condition, seconds=1200.0):
    end = made.scheduler.now + seconds
    while not condition():
        at = made.scheduler.next_at()
        assert at is not None, "nothing happens any more"
        assert at < end, f"not within {seconds} s"
        made.scheduler.step()
        assert not made.watch.violations


def asked(made):
    made.hosts[0].machine.falls_ill(ILL["full"], host.Fate(cures=True))
    until(made, lambda: made.centre_site.approvals.rows)
    (question,) = made.centre_site.approvals.rows.values()
    until(made, lambda: incident(made).status is Status.AWAITING_APPROVAL)
    return question


def incident(made):
    (found,) = made.centre_site.incidents.rows.values()
    return found


def test_a_stop_is_not_sent_again_with_every_poll_of_a_busy_host(calm):
    """Each poll was answered at once with the same stop, in a loop without a pause."""
    site = calm.hosts[0]
    site.machine.falls_ill(ILL["hung"], host.Fate(cures=True, slow_s=20.0))
    until(calm, lambda: calm.tally["order admitted"])
    (order,) = calm.centre_site.orders.rows
    until(calm, lambda: calm.centre_site.orders.rows[order].status.value != "released")
    calm.centre_site.orders.request_stop(order, by="pat")
    desk, agent = dispatch.Dispatch(calm.centre), calm.centre_site.agents.rows[site.agent]
    poll = dispatch.Poll("ab" * 16, order, 0, None)
    assert desk.answer(agent, poll).stop is not None
    assert desk.answer(agent, poll).stop is None
    calm.scheduler.now += dispatch.REDELIVER_AFTER_S
    assert desk.answer(agent, poll).stop is not None


def test_an_answer_that_was_kept_and_not_told_is_told_at_the_next_start(calm):
    """The centre died between the two; the incident then closed as if nobody had answered."""
    question, site = asked(calm), calm.centre_site
    site.approvals.decide(
        question.id, ApprovalStatus.APPROVED, by="pat", at=site.clock.now(), note=""
    )
    calm.kill_centre()
    until(calm, lambda: site.orders.rows)
    assert f"{question.id}/decided" in calm.watch.log_keys


def test_an_answer_counts_though_the_log_could_not_take_it_when_it_came(calm):
    """The log was read-only: the database kept it, the person saw an error, nobody was told."""
    question, site = asked(calm), calm.centre_site
    site.disk.full = True
    with pytest.raises(audit_log.AuditBroken):
        answers.answer(calm.centre, question, ApprovalStatus.DENIED, by="pat", note="no", about={})
    site.disk.full = False
    calm.kill_centre(power=True)
    until(calm, lambda: incident(calm).status is Status.CLOSED)
    assert incident(calm).outcome.value == "rejected"


def test_silence_is_an_answer_where_a_person_gave_one_in_time(calm):
    question, site = asked(calm), calm.centre_site
    work = calm.centre.engine._work
    assert work.silence(incident(calm).id) == flow.NothingCame()
    site.approvals.decide(
        question.id, ApprovalStatus.APPROVED, by="pat", at=site.clock.now(), note="go"
    )
    assert work.silence(incident(calm).id) == flow.Answered(approved=True, by="pat", note="go")
