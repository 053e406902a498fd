"""Each function may do what it does, and nothing else. IAM User Guide, "Grant least privilege"."""

import json
from collections.abc import Iterator

import pytest

from tests.fakes.leading_keys import ALLOWED
from tests.infrastructure.template_document import Node, Template, attribute_of, listed, transformed

CONSUME = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"}
# A key policy speaks of its own key, which it calls "*"; root there means "as IAM policies of this account say"
# (KMS Developer Guide, "Default key policy").
STARS_ALLOWED = {"DataKey"}
# Service Authorization Reference, "Actions defined by Amazon CloudWatch": it names no resource type for these.
WITHOUT_RESOURCES = {"cloudwatch:GetMetricData"}
FUNCTIONS = [
    "ApiFunction",
    "AuthorizerFunction",
    "DashboardFunction",
    "IngestFunction",
    "SenderFunction",
    "StaticSenderFunction",
    "ReplayFunction",
    "ReleaseFunction",
    "RollupFunction",
]


def _statements(node: Node) -> Iterator[dict[str, Node]]:
    if isinstance(node, dict):
        if "Effect" in node and "Action" in node:
            yield node
        for value in node.values():
            yield from _statements(value)
    elif isinstance(node, list):
        for value in node:
            yield from _statements(value)


def _services(template: Template, function: str) -> dict[str, set[str]]:
    """Service -> actions, over all resources."""
    services: dict[str, set[str]] = {}
    for each in template.statements(function):
        for action in each["Action"]:
            services.setdefault(action.partition(":")[0], set()).add(action)
    return services


def test_nothing_may_do_everything_or_act_on_everything(template: Template) -> None:
    for name, resource in template.resources.items():
        if name in STARS_ALLOWED:
            continue
        for statement in _statements(resource):
            if statement["Effect"] == "Deny":
                continue
            assert not any("*" in action for action in listed(statement["Action"])), name
            if not WITHOUT_RESOURCES.issuperset(listed(statement["Action"])):
                assert "*" not in listed(statement.get("Resource", [])), name


def test_every_function_has_a_role_made_for_it_alone(template: Template) -> None:
    """A function without Role gets one from SAM, with its own Policies and AWSLambdaBasicExecutionRole."""
    assert sorted(template.functions) == sorted(FUNCTIONS)
    for name, function in template.functions.items():
        assert "Role" not in function, name
        assert all(isinstance(policy, dict) for policy in function["Policies"]), f"{name} uses a managed policy"


def test_every_role_has_the_boundary_that_an_account_may_demand() -> None:
    stepwise = transformed({"TrafficShift": "Linear10PercentEvery1Minute"})["Resources"]
    roles = {name: each["Properties"] for name, each in stepwise.items() if each["Type"] == "AWS::IAM::Role"}
    assert len(roles) == 11  # nine functions, API Gateway's logs, CodeDeploy
    for name, role in roles.items():
        boundary = {"Fn::If": ["HasBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]}
        assert role["PermissionsBoundary"] == boundary, name


def test_no_function_gets_sams_permission_for_all_queues_and_streams(template: Template) -> None:
    """SAM adds AWSLambdaSQSQueueExecutionRole or AWSLambdaDynamoDBExecutionRole, on all resources, to a function
    with an event of that type; mappings of their own leave it to the function's policy."""
    for name, function in template.functions.items():
        assert {event["Type"] for event in function.get("Events", {}).values()} <= {"Schedule"}, name


def test_batches_need_no_action_of_their_own(template: Template) -> None:
    """Service Authorization Reference, "Actions defined by Amazon SQS": SendMessageBatch is sqs:SendMessage. A name
    that IAM does not know would grant nothing."""
    for name in template.functions:
        assert not any("Batch" in action for action in _services(template, name).get("sqs", ())), name


def test_each_consumer_may_take_from_its_queues_and_from_no_other(template: Template) -> None:
    consumed: dict[str, set[str]] = {name: set() for name in template.functions}
    for _, _, function, queue in template.queue_mappings:
        consumed[function].add(queue)
    for function, queues in consumed.items():
        for action in CONSUME - {"sqs:GetQueueAttributes"}:
            assert {attribute_of(arn)[0] for arn in template.may(function, action)} == queues, (function, action)
        assert queues <= {attribute_of(arn)[0] for arn in template.may(function, "sqs:GetQueueAttributes")}, function


def test_a_function_that_is_told_a_queue_may_use_it(template: Template) -> None:
    for function in template.functions:
        urls = {value["Ref"] for name, value in template.variables(function).items() if name.endswith("_QUEUE_URL")}
        usable = {
            attribute_of(arn)[0]
            for each in template.statements(function)
            if any(action.startswith("sqs:") for action in each["Action"])
            for arn in each["Resource"]
        }
        assert urls <= usable, function


@pytest.mark.parametrize(
    "function", [name for name in FUNCTIONS if name not in {"AuthorizerFunction", "DashboardFunction"}]
)
def test_indexes_are_reached_only_by_those_who_list(template: Template, function: str) -> None:
    """Service Authorization Reference, "Actions defined by Amazon DynamoDB": Query on an index needs the index's
    ARN."""
    indexes = [r["Fn::Sub"] for r in template.may(function, "dynamodb:Query") if "Fn::Sub" in r]
    expected = {
        "ApiFunction": ["${Table.Arn}/index/*"],
        "ReleaseFunction": ["${Table.Arn}/index/waiting"],
        "ReplayFunction": ["${Table.Arn}/index/listing", "${Table.Arn}/index/overview"],  # what webhooks missed
    }
    assert indexes == expected.get(function, [])


def test_nobody_scans_or_changes_the_table_but_to_erase_a_tenant(template: Template) -> None:
    """PartiQLSelect is a scan in other words; reads go by key."""
    for function in template.functions:
        actions = _services(template, function).get("dynamodb", set())
        assert not actions & {"dynamodb:PartiQLSelect", "dynamodb:DeleteTable", "dynamodb:UpdateTable"}
        assert "dynamodb:Scan" not in actions or function == "ReplayFunction"


def test_the_dashboard_may_ask_aws_for_nothing(template: Template) -> None:
    assert template.statements("DashboardFunction") == []


def test_the_sender_can_open_secrets_but_make_none(template: Template) -> None:
    assert _services(template, "SenderFunction")["kms"] == {"kms:Decrypt"}


def test_the_sender_with_static_addresses_may_the_same_with_a_queue_of_its_own(template: Template) -> None:
    renamed = json.dumps(template.statements("StaticSenderFunction")).replace("StaticDeliveryQueue", "DeliveryQueue")
    assert json.loads(renamed) == template.statements("SenderFunction")


def test_network_interfaces_are_made_by_the_role_of_the_sender_in_a_network_alone() -> None:
    """Lambda Developer Guide, "Giving Lambda functions access to resources in an Amazon VPC": the managed policy for
    it, which SAM adds to a function with VpcConfig."""
    resources = transformed()["Resources"]
    roles = [name for name, each in resources.items() if "AWSLambdaVPCAccessExecutionRole" in json.dumps(each)]
    assert roles == ["StaticSenderFunctionRole"]
    assert resources["StaticSenderFunctionRole"]["Condition"] == "HasStaticEgress"


def test_the_api_makes_the_data_key_and_leaves_sending_to_the_sender(template: Template) -> None:
    services = _services(template, "ApiFunction")
    assert services["kms"] == {"kms:GenerateDataKey", "kms:Decrypt"}
    assert services["lambda"] == {"lambda:InvokeFunction"}
    assert services["sqs"] == {"sqs:SendMessage", "sqs:GetQueueAttributes"}
    assert services["cloudwatch"] == {"cloudwatch:GetMetricData"}
    assert set(services) == {"dynamodb", "sqs", "kms", "lambda", "cloudwatch"}


def test_keys_are_for_the_api_and_the_sender_only(template: Template) -> None:
    users = {function for function in template.functions if "kms" in _services(template, function)}
    assert users == {"ApiFunction", "SenderFunction", "StaticSenderFunction"}


def test_the_authorizer_reads_api_keys_and_one_secret_and_nothing_else(template: Template) -> None:
    keys, *others = template.statements("AuthorizerFunction")
    assert keys["Action"] == ["dynamodb:BatchGetItem"]
    assert keys["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": "key_*"}}
    assert others == [
        {"Action": ["secretsmanager:GetSecretValue"], "Resource": [{"Ref": "JwtSecret"}], "Condition": None}
    ]


def test_functions_that_touch_few_kinds_of_items_may_touch_no_others(template: Template) -> None:
    """The fakes hold functions to ALLOWED in every test and simulation; here the roles are held to the same."""
    for name, allowed in ALLOWED.items():
        found: dict[str, tuple[str, ...]] = {}
        for statement in template.statements(f"{name.capitalize()}Function"):
            if not {"dynamodb:BatchGetItem", "dynamodb:Query"} & set(statement["Action"]):
                continue
            ((kind, keys),) = statement["Condition"].items()
            assert kind == "ForAllValues:StringLike"
            (resource,) = statement["Resource"]
            _, _, index = resource.get("Fn::Sub", "").partition("/index/")
            found[index] = tuple(keys["dynamodb:LeadingKeys"])
        assert found == allowed, name


def test_operational_events_come_from_those_who_decide_them(template: Template) -> None:
    announcers = {function for function in template.functions if "events" in _services(template, function)}
    assert announcers == {"RollupFunction", "ReplayFunction"}
    for function in announcers:
        assert template.may(function, "events:PutEvents") == [{"Fn::GetAtt": ["EventBus", "Arn"]}]


def test_api_gateway_calls_our_functions_for_our_api_only(template: Template) -> None:
    """Lambda Developer Guide, "Granting Lambda function access to AWS services": without SourceArn any API could."""
    permissions = template.of_type("AWS::Lambda::Permission")
    called = {p["FunctionName"]["Ref"] for p in permissions.values()}
    assert called == {"ApiFunction.Alias", "AuthorizerFunction.Alias", "DashboardFunction.Alias"}
    for name, permission in permissions.items():
        assert ":${Api}/" in permission["SourceArn"]["Fn::Sub"], name
