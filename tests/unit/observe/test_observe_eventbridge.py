"""Events of AWS to alerts: the bodies that its documentation shows, and what is none."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentienguard.model.alert import AlertStatus
from sentienguard.stages.observe import alert_batch, eventbridge

SAID = datetime(2022, 8, 22, 9, 4, 40, tzinfo=UTC)
METRIC = {
    "namespace": "AWS/EC2",
    "name": "CPUUtilization",
    "dimensions": {"InstanceId": "i-12345678901234567"},
}


def event(source: str, kind: str, detail: Any, **more: Any) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92",
        "detail-type": kind,
        "source": source,
        "account": "123456789012",
        "time": "2022-08-22T09:04:40Z",
        "region": "us-east-1",
        "resources": ["arn:aws:cloudwatch:us-east-1:123456789012:alarm:ServerCpuTooHigh"],
        "detail": detail,
        **more,
    }


def alarm(value: str = "ALARM", **more: Any) -> dict[str, Any]:
    stat = {"metric": METRIC, "period": 300, "stat": "Average"}
    detail = {
        "alarmName": "ServerCpuTooHigh",
        "configuration": {
            "description": "Goes into alarm when server CPU utilization is too high!",
            "metrics": [{"id": "30b6c6b2", "metricStat": stat, "returnData": True}],
        },
        "previousState": {"value": "OK"},
        "state": {"reason": "Threshold Crossed", "timestamp": "2022-08-22T09:04:40.769+0000",
                  "value": value},
    }  # fmt: skip
    return event("aws.cloudwatch", "CloudWatch Alarm State Change", {**detail, **more})


def health(status: str) -> dict[str, Any]:
    detail = {"eventArn": "arn:aws:health:1", "service": "EC2", "statusCode": status,
              "eventTypeCode": "AWS_EC2_INSTANCE_ISSUE"}  # fmt: skip
    return event("aws.health", "AWS Health Event", detail)


def read(body: Any) -> alert_batch.Batch:
    return eventbridge.parse(json.dumps(body).encode())


def test_an_alarm_is_an_alert_by_its_name_with_what_it_watches() -> None:
    [found] = read(alarm()).alerts
    assert (found.status, found.starts_at, found.heard_at) == (AlertStatus.FIRING, SAID, None)
    assert found.labels == {
        "alertname": "ServerCpuTooHigh",
        "InstanceId": "i-12345678901234567",
        "namespace": "AWS/EC2",
        "metric": "CPUUtilization",
        "source": "aws.cloudwatch",
        "account": "123456789012",
        "region": "us-east-1",
    }
    assert found.annotations["summary"] == "Threshold Crossed"


def test_its_end_has_the_same_name_and_is_of_the_episode_that_stood() -> None:
    [begun], [ended] = read(alarm()).alerts, read(alarm("OK")).alerts
    assert (ended.status, ended.heard_at) == (AlertStatus.RESOLVED, SAID)
    assert ended.fingerprint == begun.fingerprint


@pytest.mark.parametrize(
    ("body", "status"),
    [(health("open"), AlertStatus.FIRING), (health("closed"), AlertStatus.RESOLVED)],
)
def test_an_event_of_health_begins_and_ends(body: Any, status: AlertStatus) -> None:
    [found] = read(body).alerts
    assert (found.name, found.status) == ("AWS_EC2_INSTANCE_ISSUE", status)


def test_an_instance_that_is_taken_back_is_an_alert() -> None:
    detail = {"instance-id": "i-1", "instance-action": "terminate"}
    [found] = read(event("aws.ec2", "EC2 Spot Instance Interruption Warning", detail)).alerts
    assert (found.name, found.labels["InstanceId"]) == ("EC2SpotInterruption", "i-1")


@pytest.mark.parametrize(
    "body",
    [
        alarm("INSUFFICIENT_DATA"),
        event("aws.s3", "Object Created", {"bucket": {}}),
        event("my.app", "CloudWatch Alarm State Change", {"alarmName": 7}),
    ],
)
def test_what_says_no_alert_is_skipped(body: Any) -> None:
    assert read(body) == alert_batch.Batch((), skipped=1)


def test_no_dimension_takes_the_place_of_a_name() -> None:
    body = alarm()
    stat = body["detail"]["configuration"]["metrics"][0]["metricStat"]
    stat["metric"] = {**METRIC, "dimensions": {"alertname": "x", "source": "y", "region": "z"}}
    [found] = read(body).alerts
    assert (found.name, found.labels["source"], found.labels["region"]) == (
        "ServerCpuTooHigh", "aws.cloudwatch", "us-east-1",
    )  # fmt: skip


def many_dimensions() -> dict[str, Any]:
    stat = {"metric": {**METRIC, "dimensions": {f"d{n}": "x" for n in range(31)}}}
    return alarm(configuration={"metrics": [{"metricStat": stat}]})


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "Expected `object`"),
        ({}, "missing required field"),
        (event("aws.s3", "x", {}, time="yesterday"), "time"),
        (event("aws.s3", "x", {}, time="2022-08-22T09:04:40"), "time"),
        (alarm("BROKEN"), "detail.state.value: expected one of ALARM, OK"),
        (alarm(alarmName=""), "alarmName"),
        (alarm(alarmName="x" * 1025), "alarmName"),
        (alarm(state="ALARM"), "Expected `object`"),
        (many_dimensions(), "dimensions: expected at most 30"),
        (event("aws.ec2", "EC2 Spot Instance Interruption Warning", {}), "instance-id"),
        (event("aws.health", "AWS Health Event", None), "Expected `object`"),
    ],
)
def test_what_is_no_event_is_refused_with_what_was_expected(body: Any, says: str) -> None:
    with pytest.raises(alert_batch.Malformed, match=says):
        read(body)


@given(st.binary(max_size=300))
def test_random_bytes_raise_nothing_but_malformed(body: bytes) -> None:
    for data in (body, json.dumps(alarm()).encode()[:-1] + body):
        try:
            eventbridge.parse(data)
        except alert_batch.Malformed:
            continue
