"""Run the cases of the stores on SQLite."""

from tests.contract import (
    stores_agent_cases,
    stores_alert_cases,
    stores_care_cases,
    stores_incident_cases,
    stores_order_cases,
    stores_outside_cases,
    stores_people_cases,
)


class TestIncidents(stores_incident_cases.IncidentCases):
    pass


class TestOrders(stores_order_cases.OrderCases):
    pass


class TestApprovals(stores_people_cases.ApprovalCases):
    pass


class TestAgents(stores_agent_cases.AgentCases):
    pass


class TestUsers(stores_people_cases.UserCases):
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


class TestTopology(stores_outside_cases.TopologyCases):
    pass


class TestOutsideLogs(stores_outside_cases.OutsideLogCases):
    pass


class TestOpening(stores_agent_cases.OpeningCases):
    pass
