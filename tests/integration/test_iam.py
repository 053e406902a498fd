"""Each function has its own role and may do its own work alone. The emulator holds callers to their policies."""

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from localstack.emulator import REGION
from localstack.stack import LocalStack

DENIED = {"AccessDenied", "AccessDeniedException"}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}
FUNCTIONS = ["Api", "Authorizer", "Ingest", "Sender", "StaticSender", "Replay", "Release", "Rollup"]


@pytest.fixture(scope="module")
def acting_as(stack: LocalStack) -> dict[str, boto3.Session]:
    """A session with the credentials that each function runs with, by the function's logical name."""
    sts, iam = stack.client("sts"), stack.client("iam")
    sessions: dict[str, boto3.Session] = {}
    for name in FUNCTIONS:
        configuration = stack.client("lambda").get_function_configuration(
            FunctionName=stack.outputs[f"{name}FunctionName"]
        )
        role = configuration["Role"]
        before = iam.get_role(RoleName=role.rsplit("/", 1)[-1])["Role"]["AssumeRolePolicyDocument"]
        assert "lambda.amazonaws.com" in str(before)
        iam.update_assume_role_policy(RoleName=role.rsplit("/", 1)[-1], PolicyDocument=json.dumps(TRUST))
        issued = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        sessions[name] = boto3.Session(
            aws_access_key_id=issued["AccessKeyId"],
            aws_secret_access_key=issued["SecretAccessKey"],
            aws_session_token=issued["SessionToken"],
            region_name=REGION,
        )
    return sessions


def is_allowed(stack: LocalStack, session: boto3.Session, service: str, method: str, **request: Any) -> bool:
    client: Any = session.client(service, endpoint_url=stack.endpoint_url)  # type: ignore[call-overload]
    try:
        getattr(client, method)(**request)
    except ClientError as error:
        return error.response["Error"]["Code"] not in DENIED
    return True


def who_may(
    stack: LocalStack, sessions: dict[str, boto3.Session], service: str, method: str, **request: Any
) -> set[str]:
    return {name for name, session in sessions.items() if is_allowed(stack, session, service, method, **request)}


@pytest.mark.parametrize(
    ("queue", "senders"),
    [
        ("IngestQueueUrl", {"Api", "Ingest"}),
        ("DeliveryQueueUrl", {"Api", "Ingest", "Sender", "Replay", "Release"}),
        ("StaticDeliveryQueueUrl", {"Api", "Ingest", "StaticSender", "Replay", "Release"}),
        ("DeadLetterQueueUrl", {"Sender", "StaticSender"}),
        ("IngestDeadLetterQueueUrl", {"Ingest"}),
        ("StreamFailuresQueueUrl", {"Rollup"}),
    ],
)
def test_only_those_whose_work_it_is_send_to_a_queue(
    stack: LocalStack, acting_as: dict[str, boto3.Session], queue: str, senders: set[str]
) -> None:
    body = '{"mark": "test_iam"}'
    assert who_may(stack, acting_as, "sqs", "send_message", QueueUrl=stack.outputs[queue], MessageBody=body) == senders


def test_only_the_authorizer_reads_the_jwt_secret(stack: LocalStack, acting_as: dict[str, boto3.Session]) -> None:
    secret = stack.outputs["JwtSecretArn"]
    assert who_may(stack, acting_as, "secretsmanager", "get_secret_value", SecretId=secret) == {"Authorizer"}


def test_only_the_api_makes_data_keys_and_only_api_and_senders_open_them(
    stack: LocalStack, acting_as: dict[str, boto3.Session]
) -> None:
    key = stack.outputs["DataKeyArn"]
    made = who_may(stack, acting_as, "kms", "generate_data_key", KeyId=key, KeySpec="AES_256")
    assert made == {"Api"}
    wrapped = stack.client("kms").generate_data_key(KeyId=key, KeySpec="AES_256")["CiphertextBlob"]
    openers = {"Api", "Sender", "StaticSender"}
    assert who_may(stack, acting_as, "kms", "decrypt", KeyId=key, CiphertextBlob=wrapped) == openers


def test_only_rollup_and_replay_speak_on_the_bus_and_only_the_api_calls_the_sender(
    stack: LocalStack, acting_as: dict[str, boto3.Session]
) -> None:
    bus = stack.outputs["EventBusName"]
    entry = {"EventBusName": bus, "Source": "nobody.listens", "DetailType": "test", "Detail": "{}"}
    assert who_may(stack, acting_as, "events", "put_events", Entries=[entry]) == {"Rollup", "Replay"}
    sender, nothing = stack.outputs["SenderFunctionName"], b'{"Records": []}'
    assert who_may(stack, acting_as, "lambda", "invoke", FunctionName=f"{sender}:live", Payload=nothing) == {"Api"}
    assert who_may(stack, acting_as, "lambda", "invoke", FunctionName=sender, Payload=nothing) == set()


def test_the_authorizer_reads_no_table_and_ingest_deletes_no_webhook_by_hand(
    stack: LocalStack, acting_as: dict[str, boto3.Session]
) -> None:
    table = stack.outputs["TableName"]
    key = {"pk": {"S": "nothing"}, "sk": {"S": "nothing"}}
    readers = who_may(stack, acting_as, "dynamodb", "get_item", TableName=table, Key=key)
    assert "Authorizer" not in readers
    writers = who_may(stack, acting_as, "dynamodb", "delete_item", TableName=table, Key=key)
    assert not writers & {"Authorizer", "Ingest"}
