"""What the pretend world found in the product, each with the shortest way to it."""

import pytest

from sentienguard.flow import answers, dispatch
from sentienguard.flow import incident as flow
from sentienguard.model.approval import ApprovalStatus
from sentienguard.model.incident import Status
from sentienguard.ports import approval_store, audit_log
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
        answers.answer(calm.centre, question, ApprovalStatus.DENIED, by="pat", note="no", about={},
                       judge=lambda _: "")  # fmt: skip
    site.disk.full = False
    calm.kill_centre(power=True)
    until(calm, lambda: incident(calm).status is Status.CLOSED)
    assert incident(calm).outcome.value == "rejected"


def decide(site, question, status=ApprovalStatus.APPROVED):
    return site.approvals.decide(question.id, status, by="pat", at=site.clock.now(), note="go")


def test_silence_is_an_answer_where_a_person_gave_one_in_time(calm):
    question, site = asked(calm), calm.centre_site
    decide(site, question)
    said = calm.centre.engine._work.silence(incident(calm).id)
    assert said == flow.Answered(approved=True, by="pat", note="go", approval=question.id)
    assert f"{question.id}/decided" in calm.watch.log_keys


def test_after_silence_no_answer_is_taken_that_the_incident_would_not_hear(calm):
    """A server that was stopped for a while kept a yes, and the incident closed as expired."""
    question, site = asked(calm), calm.centre_site
    work = calm.centre.engine._work
    assert work.silence(incident(calm).id) == flow.NothingCame()
    with pytest.raises(approval_store.AlreadyDecided):
        decide(site, question)
    assert work.silence(incident(calm).id) == flow.NothingCame()


def test_a_yes_that_was_kept_before_the_question_expired_is_carried_out_by_the_next_process(calm):
    """It died with the yes in the database and was started after the question had expired."""
    question, site = asked(calm), calm.centre_site
    decide(site, question)
    calm.kill_centre()
    calm.scheduler.now += (question.expires_at - site.clock.now()).total_seconds() + 60
    until(calm, lambda: site.orders.rows)
    assert f"{question.id}/decided" in calm.watch.log_keys
    assert site.approvals.rows[question.id].status is ApprovalStatus.APPROVED


def test_an_end_of_a_question_is_recorded_though_the_process_died_before_its_record(calm):
    """The store had ended it, so the second try took it for somebody else's and wrote nothing."""
    question, site = asked(calm), calm.centre_site
    closing = flow.CloseApproval(question, ApprovalStatus.WITHDRAWN)
    work = calm.centre.engine._work
    site.disk.full = True
    with pytest.raises(audit_log.AuditBroken):
        work.perform(question.incident, closing)
    assert site.approvals.rows[question.id].status is ApprovalStatus.WITHDRAWN
    site.disk.full = False
    calm.kill_centre(power=True)
    until(calm, lambda: calm.centre is not None)
    calm.centre.engine._work.perform(question.incident, closing)
    assert f"{question.id}/decided" in calm.watch.log_keys


def test_an_answer_that_nobody_was_told_is_recorded_though_the_symptom_ended_first(calm):
    question, site = asked(calm), calm.centre_site
    decide(site, question)
    closing = flow.CloseApproval(question, ApprovalStatus.WITHDRAWN)
    calm.centre.engine._work.perform(question.incident, closing)
    assert f"{question.id}/decided" in calm.watch.log_keys
