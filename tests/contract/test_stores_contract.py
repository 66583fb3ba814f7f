"""Run the cases of the stores on SQLite."""

from tests.contract import (
    stores_access_cases,
    stores_agent_cases,
    stores_alert_cases,
    stores_begun_cases,
    stores_care_cases,
    stores_draft_cases,
    stores_emergency_cases,
    stores_figures_cases,
    stores_forgetting_cases,
    stores_host_list_cases,
    stores_incident_cases,
    stores_notice_cases,
    stores_order_cases,
    stores_outside_cases,
    stores_people_cases,
    stores_spell_cases,
)


class TestIncidents(stores_incident_cases.IncidentCases):
    pass


class TestOrders(stores_order_cases.OrderCases):
    pass


class TestOrdersBegun(stores_begun_cases.BegunCases):
    pass


class TestSpells(stores_spell_cases.SpellCases):
    pass


class TestApprovals(stores_people_cases.ApprovalCases):
    pass


class TestAgents(stores_agent_cases.AgentCases):
    pass


class TestHostLists(stores_host_list_cases.HostListCases):
    pass


class TestUsers(stores_people_cases.UserCases):
    pass


class TestPeople(stores_forgetting_cases.PeopleCases):
    pass


class TestSessions(stores_access_cases.SessionCases):
    pass


class TestFactors(stores_access_cases.FactorCases):
    pass


class TestEmergencies(stores_emergency_cases.EmergencyCases):
    pass


class TestSwitches(stores_people_cases.SwitchCases):
    pass


class TestEpisodes(stores_agent_cases.EpisodeCases):
    pass


class TestAlerts(stores_alert_cases.AlertCases):
    pass


class TestWebhookTokens(stores_alert_cases.WebhookTokenCases):
    pass


class TestCare(stores_care_cases.CareCases):
    pass


class TestFigures(stores_figures_cases.FiguresCases):
    pass


class TestTopology(stores_outside_cases.TopologyCases):
    pass


class TestDrafts(stores_draft_cases.DraftCases):
    pass


class TestOutbox(stores_notice_cases.OutboxCases):
    pass


class TestChatIdentities(stores_notice_cases.ChatIdentityCases):
    pass


class TestOutsideLogs(stores_outside_cases.OutsideLogCases):
    pass


class TestChanges(stores_outside_cases.ChangeCases):
    pass


class TestOpening(stores_agent_cases.OpeningCases):
    pass
