"""make doctor: reads a deployment and says, in one line for each thing that is not as it should be, what to do.

It changes nothing. What cannot be asked (a missing permission, no network) is said and is no finding.
"""

import argparse
import json
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError

from localstack.emulator import PROJECT, LocalStackError
from scripts.deployed import Deployed, NotThere
from webhooks.access.tokens import MIN_SECRET_BYTES

Level = Literal["ok", "look", "wrong"]
FUNCTIONS = ("Api", "Authorizer", "Dashboard", "Ingest", "Sender", "Replay", "Release", "Rollup")
CONSUMED = {"Ingest": "Ingest", "Delivery": "Sender", "DeadLetter": "Replay", "Jobs": "Replay"}
EMPTY = ("IngestDeadLetterQueue", "JobsDeadLetterQueue", "RuleTargetDeadLetterQueue", "StreamFailuresQueue")
LEFT_FOR_THE_API = 100  # of the account's concurrency
MANY_MESSAGES = 10_000
SKEW_SECONDS = 30  # what a token's times may differ by


@dataclass(frozen=True, slots=True)
class Finding:
    """`wrong` has to be mended; `look` may be meant."""

    level: Level
    what: str
    says: str


Check = Callable[[Deployed], Iterator[Finding]]


def examine(deployed: Deployed) -> Iterator[Finding]:
    """Everything that there is to say, one check after the other."""
    for check in CHECKS:
        try:
            yield from check(deployed)
        except (ClientError, BotoCoreError, OSError, KeyError) as error:
            name = check.__name__.strip("_").replace("_", " ")
            yield Finding("look", name, f"cannot be asked: {error}")


def _stack(deployed: Deployed) -> Iterator[Finding]:
    if deployed.status.endswith("_IN_PROGRESS"):
        yield Finding("look", "stack", f"is just being changed ({deployed.status})")
    elif deployed.status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        says = f"is {deployed.status}: docs/operations.md, A deployment that fails"
        yield Finding("look" if deployed.status == "UPDATE_ROLLBACK_COMPLETE" else "wrong", "stack", says)
    else:
        yield Finding("ok", "stack", f"{deployed.stack} is {deployed.status}")


def _concurrency(deployed: Deployed) -> Iterator[Finding]:
    limit = deployed.client("lambda").get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    queues = ("Sender", "Ingest", "Replay", "Replay")  # replay has two
    taken = sum(int(deployed.parameters.get(f"{each}MaximumConcurrency", 10)) for each in queues)
    if limit < taken + LEFT_FOR_THE_API:
        yield Finding(
            "wrong",
            "concurrency",
            f"the account runs {limit} functions at once, queues start up to {taken}: ask AWS for more (Service "
            'Quotas, "Concurrent executions"), or lower SenderMaximumConcurrency and IngestMaximumConcurrency',
        )
    else:
        yield Finding("ok", "concurrency", f"{limit}, of which queues take {taken} at most")


def _api_quota(deployed: Deployed) -> Iterator[Finding]:
    settings = deployed.client("apigateway").get_account()
    rate, asked = settings.get("throttleSettings", {}).get("rateLimit", 0), float(deployed.parameters["ApiRateLimit"])
    if asked > rate:
        says = f"the account answers {rate:g} requests a second, less than ApiRateLimit={asked:g}: ask AWS for more"
        yield Finding("wrong", "API quota", says)
    else:
        yield Finding("ok", "API quota", f"{rate:g} requests a second, ApiRateLimit is {asked:g}")
    if not settings.get("cloudwatchRoleArn"):
        yield Finding("wrong", "API logs", "the account has no role for them: deploy with ApiGatewayLogsRole=create")


def _functions(deployed: Deployed) -> Iterator[Finding]:
    functions, versions, roles = deployed.client("lambda"), dict[str, str](), set[str]()
    for each in FUNCTIONS:
        name = deployed.outputs[f"{each}FunctionName"]
        alias = functions.get_alias(FunctionName=name, Name="live")
        versions[each] = alias["FunctionVersion"]
        if alias["FunctionVersion"] == "$LATEST":
            yield Finding("wrong", f"{each} alias", "live points at $LATEST, which anybody may change: deploy again")
        elif alias.get("RoutingConfig", {}).get("AdditionalVersionWeights"):
            yield Finding("look", f"{each} alias", "new code is just taking over by steps")
        found = functions.get_function_configuration(FunctionName=name, Qualifier="live")
        roles.add(found["Role"].rpartition("/")[2])
        if found.get("State", "Active") not in ("Active", "Inactive"):
            reason = found.get("StateReason", "no reason is given")
            yield Finding("wrong", f"{each} function", f"is {found['State']}: {reason}")
    yield Finding("ok", "versions", ", ".join(f"{name} {version}" for name, version in versions.items()))
    iam = deployed.client("iam")
    for role in sorted(roles):
        try:
            iam.get_role(RoleName=role)
        except iam.exceptions.NoSuchEntityException:
            yield Finding("wrong", "roles", f"{role} is gone: deploy again, with any parameter changed")


def _triggers(deployed: Deployed) -> Iterator[Finding]:
    functions = deployed.client("lambda")
    states: list[tuple[str, str]] = []
    for each in ("Ingest", "Sender", "Replay", "Rollup"):
        name = deployed.outputs[f"{each}FunctionName"]
        found = functions.list_event_source_mappings(FunctionName=f"{name}:live")["EventSourceMappings"]
        if not found:
            yield Finding("wrong", f"{each} trigger", "there is none: deploy again")
        states += [(f"{each} trigger {mapping['UUID']}", mapping["State"]) for mapping in found]
    for name, state in states:
        if state == "Disabled":
            uuid = name.split()[-1]
            says = f"is off: aws lambda update-event-source-mapping --uuid {uuid} --enabled"
            yield Finding("wrong", name, says)
    rules = deployed.client("events").list_rules(NamePrefix=f"{deployed.stack}-ReleaseFunction")["Rules"]
    if not any(rule["State"] == "ENABLED" for rule in rules):
        named = rules[0]["Name"] if rules else "..."
        yield Finding("wrong", "release's schedule", f"is off: aws events enable-rule --name {named}")
    if all(state != "Disabled" for _, state in states):
        yield Finding("ok", "triggers", f"{len(states)} mappings and release's schedule")


def _queues(deployed: Deployed) -> Iterator[Finding]:
    sqs, held = deployed.client("sqs"), list[str]()
    for name in (*(f"{each}Queue" for each in CONSUMED), *EMPTY):
        attributes = sqs.get_queue_attributes(
            QueueUrl=deployed.outputs[f"{name}Url"], AttributeNames=["ApproximateNumberOfMessages"]
        )["Attributes"]
        count = int(attributes["ApproximateNumberOfMessages"])
        held += [f"{name} {count}"] if count else []
        if count and name in EMPTY:
            says = f"holds {count} messages: docs/operations.md, Queues that should be empty"
            yield Finding("wrong", name, says)
        elif count > MANY_MESSAGES:
            yield Finding("look", name, f"holds {count} messages; docs/operations.md, OldestDelivery and OldestEvent")
    yield Finding("ok", "queues", ", ".join(held) or "empty")


def _alarms(deployed: Deployed) -> Iterator[Finding]:
    topic = deployed.parameters.get("AlarmTopicArn", "")
    if not topic:
        level: Level = "wrong" if deployed.parameters["Stage"] == "prod" else "look"
        yield Finding(level, "alarms", "there are none: deploy with AlarmTopicArn=arn:aws:sns:...")
        return
    for name in {topic, deployed.parameters.get("TicketTopicArn") or topic}:
        try:
            attributes = deployed.client("sns").get_topic_attributes(TopicArn=name)["Attributes"]
        except ClientError as error:
            yield Finding("wrong", "alarms", f"topic {name} cannot be read ({error}): nobody is told anything")
            continue
        if not int(attributes.get("SubscriptionsConfirmed", 0)):
            yield Finding("wrong", "alarms", f"nobody has confirmed a subscription to {name}: nobody is told anything")
    pages = deployed.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=deployed.stack)
    found = [alarm for page in pages for kind in ("MetricAlarms", "CompositeAlarms") for alarm in page.get(kind, [])]
    for alarm in found:
        if alarm["StateValue"] == "ALARM" and alarm.get("AlarmActions"):
            yield Finding("wrong", "alarm", f"{alarm['AlarmName']}: {alarm.get('AlarmDescription', '')}")
    yield Finding("ok", "alarms", f"{len(found)}")


def _table(deployed: Deployed) -> Iterator[Finding]:
    dynamodb, name = deployed.client("dynamodb"), deployed.outputs["TableName"]
    table = dynamodb.describe_table(TableName=name)["Table"]
    states = {table["TableStatus"], *(index.get("IndexStatus", "ACTIVE") for index in table["GlobalSecondaryIndexes"])}
    if states != {"ACTIVE"}:
        yield Finding("wrong", "table", f"it or an index is {', '.join(sorted(states - {'ACTIVE'}))}")
    if deployed.parameters["Stage"] != "local":
        backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        if backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] != "ENABLED":
            says = "cannot be restored: aws dynamodb update-continuous-backups --table-name " + name
            yield Finding(
                "wrong", "table", f"{says} --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true"
            )
    if deployed.parameters["Stage"] == "prod" and not table.get("DeletionProtectionEnabled"):
        yield Finding("wrong", "table", f"anybody may delete {name}: it was changed by hand; protect it")
    yield Finding("ok", "table", f"{name}, {len(table['GlobalSecondaryIndexes'])} indexes")


def _data_key(deployed: Deployed) -> Iterator[Finding]:
    key = deployed.client("kms").describe_key(KeyId=deployed.outputs["DataKeyArn"])["KeyMetadata"]
    if key.get("KeyState", "Enabled") == "PendingDeletion":
        says = f"will be deleted, and all secrets with it: aws kms cancel-key-deletion --key-id {key['KeyId']}"
        yield Finding("wrong", "data key", says)
    elif not key.get("Enabled", True):
        says = f"is off; nothing can be signed: aws kms enable-key --key-id {key['KeyId']}"
        yield Finding("wrong", "data key", says)
    else:
        yield Finding("ok", "data key", key["KeyId"])


def _tokens(deployed: Deployed) -> Iterator[Finding]:
    if url := deployed.parameters.get("JwtJwksUrl", ""):
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - https by the parameter's pattern
            keys = json.load(answer).get("keys", [])
        if not keys:
            yield Finding("wrong", "public keys", f"{url} has none: nobody is let in")
        else:
            yield Finding("ok", "public keys", f"{len(keys)} at {url}, seen from here")
        return
    arn = deployed.outputs["JwtSecretArn"]
    secret = deployed.client("secretsmanager").get_secret_value(SecretId=arn).get("SecretString", "")
    if len(secret.encode()) < MIN_SECRET_BYTES:
        says = f"has less than {MIN_SECRET_BYTES} bytes; nobody is let in: aws secretsmanager put-secret-value"
        yield Finding("wrong", "JWT secret", says)
    else:
        yield Finding("ok", "JWT secret", "can be read, and is long enough")


def _clock(deployed: Deployed) -> Iterator[Finding]:
    headers = deployed.client("sts").get_caller_identity()["ResponseMetadata"].get("HTTPHeaders", {})
    if "date" not in headers:
        return
    skew = (datetime.now(UTC) - parsedate_to_datetime(headers["date"])).total_seconds()
    if abs(skew) > SKEW_SECONDS:
        yield Finding("wrong", "clock", f"this machine's is {skew:+.0f} s off AWS's: its tokens are refused")
    else:
        yield Finding("ok", "clock", f"{skew:+.0f} s beside AWS's")


CHECKS: tuple[Check, ...] = (
    _stack, _concurrency, _api_quota, _functions, _triggers, _queues, _alarms, _table, _data_key, _tokens, _clock,
)  # fmt: skip
SIGNS = {"ok": "  ok   ", "look": "  look ", "wrong": "  WRONG"}


def main(project: Path = PROJECT) -> int:
    """Entry point; 1 when something is wrong."""
    parser = argparse.ArgumentParser(prog="make doctor", description=__doc__)
    parser.add_argument("--stage", default="local")
    try:
        findings = list(examine(Deployed.of_stage(project, parser.parse_args().stage)))
    except (NotThere, LocalStackError, KeyError) as error:
        print(error if not isinstance(error, KeyError) else f"samconfig.toml has no stage {error}.", file=sys.stderr)
        return 1
    for each in findings:
        print(f"{SIGNS[each.level]} {each.what}: {each.says}")
    wrong = sum(each.level == "wrong" for each in findings)
    print(f"{wrong} to mend" if wrong else "nothing to mend")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
