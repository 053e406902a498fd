"""Functions, the table and the stream: limits of AWS, and what template and code must agree on."""

import json
from dataclasses import MISSING, fields

import pytest

from tests.infrastructure.template_document import PROJECT, Node, Template, attribute_of, listed, transformed
from webhooks import settings
from webhooks.store import schema

SETTINGS = {
    "ApiFunction": settings.ApiSettings,
    "AuthorizerFunction": settings.AuthorizerSettings,
    "DashboardFunction": settings.DashboardSettings,
    "IngestFunction": settings.IngestSettings,
    "SenderFunction": settings.SenderSettings,
    "StaticSenderFunction": settings.SenderSettings,
    "ReplayFunction": settings.ReplaySettings,
    "ReleaseFunction": settings.ReleaseSettings,
    "RollupFunction": settings.RollupSettings,
}


def test_every_function_has_its_settings_listed_here(template: Template) -> None:
    assert set(template.functions) == set(SETTINGS)


@pytest.mark.parametrize("function", SETTINGS)
def test_a_function_gets_exactly_the_variables_that_its_settings_read(template: Template, function: str) -> None:
    others = {"POWERTOOLS_SERVICE_NAME", "SETTINGS_VERSION"}
    given = set(template.variables(function)) - others
    assert given == {field.name.upper() for field in fields(SETTINGS[function])}


@pytest.mark.parametrize("function", SETTINGS)
def test_the_defaults_of_the_parameters_are_valid_settings(template: Template, function: str) -> None:
    def default(value: Node) -> str:
        parameter = template.parameters.get(value["Ref"]) if isinstance(value, dict) and "Ref" in value else None
        if isinstance(value, str):
            return value
        return str(parameter.get("Default", "dev")) if parameter else "something"  # Stage alone has none

    SETTINGS[function].read({name: default(value) for name, value in template.variables(function).items()})


def test_the_defaults_of_the_parameters_are_those_of_the_settings(template: Template) -> None:
    for function, model in SETTINGS.items():
        read = model.read(
            {
                name: str(template.parameters[value["Ref"]]["Default"])
                for name, value in template.variables(function).items()
                if isinstance(value, dict) and "Default" in template.parameters.get(str(value.get("Ref")), {})
            }
            | {field.name.upper(): "something" for field in fields(model) if field.default is MISSING}
        )
        for field in fields(model):
            if field.default is not MISSING and field.name != "stage":
                assert getattr(read, field.name) == field.default, (function, field.name)


def test_variables_fit_into_what_lambda_takes(template: Template) -> None:
    """Lambda Developer Guide, "Lambda quotas": 4 KB for all environment variables of a function. Almost a quarter is
    left for more."""
    for function in template.functions:
        variables = template.variables(function)
        size = sum(
            len(name) + len(str(template.parameters[value["Ref"]]["Default"]))
            if isinstance(value, dict) and "Default" in template.parameters.get(str(value.get("Ref")), {})
            else len(name) + 120
            for name, value in variables.items()
        )
        assert size <= 3_200, function


def test_each_function_has_a_folder_and_a_log_group_of_its_own_that_expires(template: Template) -> None:
    """Lambda Developer Guide, "Configuring CloudWatch log groups": a group that Lambda makes by itself never
    expires."""
    groups: set[str] = set()
    for name, function in template.functions.items():
        short = name.removesuffix("Function").lower()
        assert function["CodeUri"] == f"functions/{short.removeprefix('static')}/"
        assert function["Handler"] == "app.handler"
        group = function["LoggingConfig"]["LogGroup"]["Ref"]
        assert template.properties(group)["RetentionInDays"] == {"Ref": "LogRetentionDays"}
        assert template.properties(group)["LogGroupName"]["Fn::Sub"].endswith(f"-{short}")
        groups.add(group)
    assert len(groups) == len(template.functions)


def test_functions_have_the_names_that_the_api_calls_them_by(template: Template) -> None:
    for name, function in template.functions.items():
        short = name.removesuffix("Function").lower()
        assert function["FunctionName"] == {"Fn::Sub": f"${{AWS::StackName}}-{short}"}
    sender = template.functions["SenderFunction"]["FunctionName"]["Fn::Sub"]
    assert template.variables("ApiFunction")["SENDER_FUNCTION_NAME"] == {"Fn::Sub": f"{sender}:live"}
    static = template.functions["StaticSenderFunction"]["FunctionName"]["Fn::Sub"]
    assert template.variables("ApiFunction")["STATIC_SENDER_FUNCTION_NAME"] == {"Fn::Sub": f"{static}:live"}


def test_senders_differ_in_their_network_and_queue_and_count_as_one(template: Template) -> None:
    ordinary, static = (template.functions[f"{kind}Function"] for kind in ("Sender", "StaticSender"))
    names = ("FunctionName", "Description", "LoggingConfig", "Environment", "Policies", "VpcConfig")
    assert {k: v for k, v in static.items() if k not in names} == {k: v for k, v in ordinary.items() if k not in names}
    given, its = template.variables("SenderFunction"), template.variables("StaticSenderFunction")
    assert {name for name in given if given[name] != its[name]} == {"DELIVERY_QUEUE_URL", "STATIC_EGRESS"}
    assert its["METRICS_FUNCTION"] == ordinary["FunctionName"]
    mappings = [template.properties(f"{kind}Mapping") for kind in ("Sender", "StaticSender")]
    of_its_own = ("FunctionName", "EventSourceArn")
    assert len({json.dumps({k: v for k, v in each.items() if k not in of_its_own}) for each in mappings}) == 1
    queues = [template.properties(name) for name in ("DeliveryQueue", "StaticDeliveryQueue")]
    assert queues[0] == queues[1]


def test_a_deployment_says_for_which_stage_it_is(template: Template) -> None:
    """With overrides given to it, sam takes none of samconfig.toml's, and production would have become dev."""
    assert {name for name, each in template.parameters.items() if "Default" not in each} == {"Stage"}


def test_nobody_waits_longer_than_api_gateway_does(template: Template) -> None:
    """API Gateway Developer Guide, "Amazon API Gateway quotas and important notes": 29 s for an integration, and
    for an authorizer before it."""
    assert template.functions["ApiFunction"]["Timeout"] <= 29
    assert template.functions["AuthorizerFunction"]["Timeout"] <= 29
    assert template.functions["DashboardFunction"]["Timeout"] <= 29


def test_a_run_of_release_ends_before_the_next_begins(template: Template) -> None:
    """Lambda Developer Guide, "Configuring error handling for asynchronous invocation": by default a failed run is
    tried twice more, beside the next minute's."""
    release = template.functions["ReleaseFunction"]
    assert release["Events"]["EachMinute"]["Properties"]["Schedule"] == "rate(1 minute)"
    assert release["Timeout"] < 60
    assert release["EventInvokeConfig"] == {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}


def test_functions_and_layers_are_built_by_the_makefile(template: Template) -> None:
    """SAM's own Python builder needs the target's Python on the machine, and the layers' is another than most have."""
    built = {
        name: resource
        for name, resource in template.resources.items()
        if resource["Type"] in {"AWS::Serverless::Function", "AWS::Serverless::LayerVersion"}
    }
    assert {"DependenciesLayer", *template.functions} == set(built)
    for name, resource in built.items():
        assert resource["Metadata"] == {"BuildMethod": "makefile", "WorkingDirectory": "."}, name
        content = resource["Properties"].get("ContentUri") or resource["Properties"]["CodeUri"]
        assert (PROJECT / content).is_dir(), name


def test_the_table_is_the_one_that_the_code_knows(template: Template) -> None:
    table = template.properties("Table")
    assert [key["AttributeName"] for key in table["KeySchema"]] == [schema.PK, schema.SK]
    indexes = {
        index["IndexName"]: [key["AttributeName"] for key in index["KeySchema"]]
        for index in table["GlobalSecondaryIndexes"]
    }
    assert indexes == {
        schema.WAITING_INDEX: [schema.WAITING_KEY, schema.WAITING_AT],
        schema.LISTING_INDEX: [schema.LISTING_KEY, schema.LISTING_AT],
        schema.OVERVIEW_INDEX: [schema.OVERVIEW_KEY, schema.OVERVIEW_AT],
    }
    assert {index["Projection"]["ProjectionType"] for index in table["GlobalSecondaryIndexes"]} == {"KEYS_ONLY"}


def test_a_provisioned_table_and_each_of_its_indexes_follow_what_is_used(template: Template) -> None:
    """DynamoDB Developer Guide, "Managing throughput capacity automatically with DynamoDB auto scaling": a table's
    indexes are scaled by themselves, and one that is too small holds up what is written to it."""
    names = [index["IndexName"] for index in template.properties("Table")["GlobalSecondaryIndexes"]]
    wanted = {
        (f"table/${{Table}}{place}", f"dynamodb:{kind}:{way}CapacityUnits", limit, minimum)
        for place, kind, minimum in [("", "table", "TableMinimum")]
        + [(f"/index/{name}", "index", "IndexMinimum") for name in names]
        for way, limit in (("Read", "TableReadLimit"), ("Write", "TableWriteLimit"))
    }
    targets = template.of_type("AWS::ApplicationAutoScaling::ScalableTarget")
    assert {
        (
            each["ResourceId"]["Fn::Sub"],
            each["ScalableDimension"],
            each["MaxCapacity"]["Ref"],
            each["MinCapacity"]["Ref"],
        )
        for each in targets.values()
    } == wanted
    policies = template.of_type("AWS::ApplicationAutoScaling::ScalingPolicy")
    assert {each["ScalingTargetId"]["Ref"] for each in policies.values()} == set(targets)
    for name, each in policies.items():
        tracked = each["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"]
        way = targets[each["ScalingTargetId"]["Ref"]]["ScalableDimension"].split(":")[2].removesuffix("CapacityUnits")
        assert tracked == {"PredefinedMetricType": f"DynamoDB{way}CapacityUtilization"}, name


def test_a_table_begins_with_the_capacity_that_it_never_goes_below() -> None:
    table = transformed({"TableCapacity": "provisioned"})["Resources"]["Table"]["Properties"]
    for each, minimum in [(table, "TableMinimum")] + [
        (each, "IndexMinimum") for each in table["GlobalSecondaryIndexes"]
    ]:
        made = each["ProvisionedThroughput"]["Fn::If"]
        assert made[:2] == [
            "ProvisionsTable",
            {"ReadCapacityUnits": {"Ref": minimum}, "WriteCapacityUnits": {"Ref": minimum}},
        ]
        assert each["OnDemandThroughput"]["Fn::If"][1] == {"Ref": "AWS::NoValue"} == made[2]


def test_finished_things_expire_by_the_attribute_that_the_code_writes(template: Template) -> None:
    """DynamoDB Developer Guide, "Using time to live (TTL) in DynamoDB": one attribute a table, epoch seconds."""
    assert template.properties("Table")["TimeToLiveSpecification"] == {
        "AttributeName": schema.EXPIRES_AT,
        "Enabled": True,
    }


def test_the_table_can_be_restored_and_outlives_its_stack(template: Template) -> None:
    """DynamoDB Developer Guide, "Point-in-time backups for DynamoDB"; CloudFormation User Guide, "DeletionPolicy
    attribute"."""
    table = template.properties("Table")
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["DeletionProtectionEnabled"] == {"Fn::If": ["IsProd", True, False]}
    for logical_id in ("Table", "DataKey"):
        assert template.resources[logical_id]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert template.resources[logical_id]["UpdateReplacePolicy"] == "Retain"


def test_the_stack_policy_keeps_what_cannot_be_had_again_and_no_more(template: Template) -> None:
    """The JWT secret goes with the move to public keys, as the README tells it; a policy that denies that stops it."""
    statements = json.loads((PROJECT / "docs" / "stack-policy.json").read_text())["Statement"]
    denied = {
        action: {name.removeprefix("LogicalResourceId/") for name in each["Resource"]}
        for each in statements
        if each["Effect"] == "Deny"
        for action in listed(each["Action"])
    }
    assert denied == {"Update:Replace": {"Table", "DataKey", "JwtSecret"}, "Update:Delete": {"Table", "DataKey"}}
    # what goes when another table is taken over goes on purpose, and operations.md lifts the policy for it
    conditions = {name: template.resources[name].get("Condition") for name in denied["Update:Delete"]}
    assert conditions == {"Table": "MakesTable", "DataKey": "MakesKey"}


def test_lambda_writes_a_line_of_its_own_only_for_what_went_wrong() -> None:
    """Lambda Developer Guide, "Configuring advanced logging controls for Lambda functions". Lines with our metrics have
    the level INFO and must pass at every LogLevel."""
    for name, resource in transformed()["Resources"].items():
        if resource["Type"] == "AWS::Lambda::Function":
            logging = resource["Properties"]["LoggingConfig"]
            assert (logging["LogFormat"], logging["SystemLogLevel"]) == ("JSON", "WARN"), name
            assert logging["ApplicationLogLevel"] == {"Fn::If": ["LogsDetails", "DEBUG", "INFO"]}
            assert logging["LogGroup"] == {"Ref": name.replace("Function", "LogGroup")}


def test_the_stream_shows_what_was_and_what_is(template: Template) -> None:
    """DynamoDB API Reference, StreamSpecification: rollup counts changes of status, so it needs both images."""
    assert template.properties("Table")["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}


def test_rollup_never_sees_what_it_writes_itself(template: Template) -> None:
    """Lambda Developer Guide, "Using event filtering with a DynamoDB event source". Without the filters every
    statistic written would call rollup again, without end."""
    filters = template.properties("RollupMapping")["FilterCriteria"]["Filters"]
    by_sort_key, by_partition_key = (json.loads(each["Pattern"])["dynamodb"]["Keys"] for each in filters)
    accepted = by_sort_key[schema.SK]["S"]
    assert accepted == [
        {"prefix": schema.DELIVERY_PREFIX},
        {"prefix": schema.DEAD_PREFIX},
        schema.WEBHOOK_SK,
        schema.STATE_SK,
        schema.beat_sk("release"),
    ]
    assert by_partition_key == {schema.PK: {"S": [{"prefix": schema.event_pk("")}]}}
    prefixes = tuple(rule["prefix"] if isinstance(rule, dict) else rule for rule in accepted)
    written = [
        (schema.statistics_pk("wh_1"), schema.statistics_sk(0)),
        (schema.COUNTERS_PK, schema.counter_sk(0)),
        (schema.COUNTERS_PK, schema.beat_sk("rollup")),
        (schema.CIRCUITS_PK, "wh_1"),
        (schema.counted_pk(0), schema.COUNTED_SK),
    ]
    for pk, sk in written:
        assert not sk.startswith(prefixes)
        assert not pk.startswith(schema.event_pk(""))


def test_what_ttl_removes_does_not_call_rollup(template: Template) -> None:
    """DynamoDB Developer Guide, "Using filters to process some events with DynamoDB and Lambda"."""
    filters = template.properties("RollupMapping")["FilterCriteria"]["Filters"]
    assert all("REMOVE" not in json.loads(each["Pattern"])["eventName"] for each in filters)


def test_half_a_day_of_an_outage_loses_nothing_of_the_stream_and_half_a_day_is_left_to_catch_up(
    template: Template,
) -> None:
    """Lambda Developer Guide, "Lambda parameters for Amazon DynamoDB event source mappings": a failing batch is tried
    without end unless a number or an age is given, and its shard stands still. DynamoDB keeps a stream for 24 hours."""
    mapping = template.properties("RollupMapping")
    assert mapping["BisectBatchOnFunctionError"] is True
    assert "MaximumRetryAttempts" not in mapping
    assert mapping["MaximumRecordAgeInSeconds"] == 12 * 3600
    assert attribute_of(mapping["DestinationConfig"]["OnFailure"]["Destination"])[0] == "StreamFailuresQueue"
    assert mapping.get("ParallelizationFactor", 1) == 1, "statistics keep one last sequence number a shard"
