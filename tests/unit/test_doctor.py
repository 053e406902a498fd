"""What make doctor finds in deployments that are ill in one place."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from scripts.deployed import Deployed
from scripts.doctor import FUNCTIONS, Finding, examine

PARAMETERS = {
    "Stage": "prod",
    "SenderMaximumConcurrency": "100",
    "IngestMaximumConcurrency": "50",
    "ApiRateLimit": "1000",
    "AlarmTopicArn": "arn:aws:sns:eu-west-1:123456789012:page",
    "JwtJwksUrl": "",
}
QUEUES = ("Ingest", "Delivery", "DeadLetter", "Jobs", "IngestDeadLetter", "JobsDeadLetter", "RuleTargetDeadLetter")
OUTPUTS = {
    **{f"{name}FunctionName": f"stack-{name.lower()}" for name in FUNCTIONS},
    **{f"{name}QueueUrl": f"https://sqs/{name}" for name in QUEUES},
    "StreamFailuresQueueUrl": "https://sqs/StreamFailures",
    "TableName": "table",
    "DataKeyArn": "key",
    "JwtSecretArn": "secret",
}


class Missing(Exception):
    """IAM's own."""


class Aws:
    """All services at once, in good health; `ill` answers in their place."""

    class exceptions:
        NoSuchEntityException = Missing

    def __init__(self, **ill: Any) -> None:
        self.ill = ill

    def __getattr__(self, call: str) -> Callable[..., Any]:
        def answer(**request: Any) -> Any:
            ill = self.ill.get(call)
            if isinstance(ill, Exception):
                raise ill
            return ill(request) if callable(ill) else ill if ill is not None else WELL[call](request)

        return answer

    def get_paginator(self, call: str) -> "Aws":
        return Aws(paginate=[self.ill.get(call, {"MetricAlarms": []})])


WELL: dict[str, Callable[[dict[str, Any]], Any]] = {
    "get_account_settings": lambda _: {"AccountLimit": {"UnreservedConcurrentExecutions": 1000}},
    "get_account": lambda _: {"throttleSettings": {"rateLimit": 10_000.0}, "cloudwatchRoleArn": "arn"},
    "get_alias": lambda _: {"FunctionVersion": "7"},
    "get_function_configuration": lambda request: {"Role": f"arn/{request['FunctionName']}", "State": "Active"},
    "get_role": lambda _: {},
    "list_event_source_mappings": lambda _: {"EventSourceMappings": [{"UUID": "u-1", "State": "Enabled"}]},
    "list_rules": lambda _: {"Rules": [{"Name": "rule-1", "State": "ENABLED"}]},
    "get_queue_attributes": lambda _: {"Attributes": {"ApproximateNumberOfMessages": "0"}},
    "get_topic_attributes": lambda _: {"Attributes": {"SubscriptionsConfirmed": "1"}},
    "describe_table": lambda _: {
        "Table": {
            "TableStatus": "ACTIVE",
            "GlobalSecondaryIndexes": [{"IndexStatus": "ACTIVE"}],
            "DeletionProtectionEnabled": True,
        }
    },
    "describe_continuous_backups": lambda _: {
        "ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "ENABLED"}}
    },
    "describe_key": lambda _: {"KeyMetadata": {"KeyId": "k-1", "Enabled": True, "KeyState": "Enabled"}},
    "get_secret_value": lambda _: {"SecretString": "s" * 64},
    "get_caller_identity": lambda _: {"ResponseMetadata": {"HTTPHeaders": {}}},
}


def found(status: str = "UPDATE_COMPLETE", parameters: dict[str, str] | None = None, **ill: Any) -> list[Finding]:
    aws = Aws(**ill)
    deployed = Deployed("stack", status, PARAMETERS | (parameters or {}), OUTPUTS, lambda _: aws)
    return [each for each in examine(deployed) if each.level != "ok"]


def test_in_good_health_there_is_nothing_to_say() -> None:
    assert found() == []


OFF = {"EventSourceMappings": [{"UUID": "u-1", "State": "Disabled"}]}
ILL: list[tuple[str, dict[str, Any]]] = [
    ("A deployment that fails", {"status": "UPDATE_ROLLBACK_FAILED"}),
    ("ask AWS for more", {"get_account_settings": {"AccountLimit": {"UnreservedConcurrentExecutions": 10}}}),
    ("less than ApiRateLimit=1000", {"get_account": {
        "throttleSettings": {"rateLimit": 500}, "cloudwatchRoleArn": "a"}}),
    ("ApiGatewayLogsRole=create", {"get_account": {"throttleSettings": {"rateLimit": 5000}}}),
    ("live points at $LATEST", {"get_alias": {"FunctionVersion": "$LATEST"}}),
    ("is Failed: no layer", {"get_function_configuration": {
        "Role": "a/b", "State": "Failed", "StateReason": "no layer"}}),
    ("is gone: deploy again", {"get_role": Missing()}),
    ("update-event-source-mapping --uuid u-1 --enabled", {"list_event_source_mappings": OFF}),
    ("there is none: deploy again", {"list_event_source_mappings": {"EventSourceMappings": []}}),
    ("enable-rule --name rule-1", {"list_rules": {"Rules": [{"Name": "rule-1", "State": "DISABLED"}]}}),
    ("holds 3 messages: docs", {"get_queue_attributes": {"Attributes": {"ApproximateNumberOfMessages": "3"}}}),
    ("deploy with AlarmTopicArn", {"parameters": {"AlarmTopicArn": ""}}),
    ("nobody has confirmed", {"get_topic_attributes": {"Attributes": {"SubscriptionsConfirmed": "0"}}}),
    ("OldestEvent: late", {"describe_alarms": {"MetricAlarms": [
        {"AlarmName": "OldestEvent", "AlarmDescription": "late", "StateValue": "ALARM", "AlarmActions": ["a"]}]}}),
    ("point-in-time-recovery-specification", {"describe_continuous_backups": {
        "ContinuousBackupsDescription": {
            "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"}}}}),
    ("cancel-key-deletion --key-id k-1", {"describe_key": {
        "KeyMetadata": {"KeyId": "k-1", "KeyState": "PendingDeletion"}}}),
    ("enable-key --key-id k-1", {"describe_key": {"KeyMetadata": {"KeyId": "k-1", "Enabled": False}}}),
    ("has less than 32 bytes", {"get_secret_value": {"SecretString": "short"}}),
    ("its tokens are refused", {"get_caller_identity": {"ResponseMetadata": {"HTTPHeaders": {
        "date": "Wed, 21 Oct 2015 07:28:00 GMT"}}}}),
]  # fmt: skip


@pytest.mark.parametrize(("says", "ill"), ILL, ids=[says for says, _ in ILL])
def test_what_is_wrong_is_said_with_what_to_do(says: str, ill: dict[str, Any]) -> None:
    wrong = [each for each in found(**ill) if each.level == "wrong"]
    assert any(says in each.says for each in wrong), wrong
    assert all("\n" not in each.says for each in wrong)


def test_what_may_not_be_asked_is_said_and_the_rest_is_examined() -> None:
    refused = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetSecretValue")
    (finding,) = found(get_secret_value=refused)
    assert (finding.level, finding.what) == ("look", "tokens")
