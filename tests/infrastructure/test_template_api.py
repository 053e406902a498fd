"""The REST API, who gets in, and what only the local stage may open."""

import json
import re
import tomllib
from collections.abc import Iterator

import pytest

from tests.infrastructure.template_document import PROJECT, Node, Template

FILES = {("/dashboard", "get"), ("/dashboard/{proxy+}", "get")}
PUBLIC = {
    ("/health", "get"),
    ("/ready", "get"),
    ("/openapi.json", "get"),
    ("/problems/{name}", "get"),
    ("/.well-known/jwks.json", "get"),
    ("/portal-sessions", "post"),
    ("/{proxy+}", "options"),
} | FILES
# API Gateway Developer Guide, "Gateway response types for API Gateway"
RESPONSE_TYPES = {
    "DEFAULT_4XX",
    "DEFAULT_5XX",
    "UNAUTHORIZED",
    "ACCESS_DENIED",
    "MISSING_AUTHENTICATION_TOKEN",
    "REQUEST_TOO_LARGE",
    "THROTTLED",
    "INTEGRATION_FAILURE",
    "INTEGRATION_TIMEOUT",
}
LOCAL_ONLY = {"AuthMode": "jwt", "EgressAllowHttp": "false", "EgressAllowedNetworks": ""}


def _definition(template: Template) -> Node:
    return template.properties("Api")["DefinitionBody"]


def _operations(template: Template) -> Iterator[tuple[str, str, Node]]:
    for path, item in _definition(template)["paths"].items():
        for verb, operation in item.items():
            yield path, verb, operation


def test_all_but_the_public_routes_and_the_preflight_need_a_caller(template: Template) -> None:
    """API Gateway Developer Guide, "Amazon API Gateway quotas and important notes": security at the root of an
    OpenAPI document is ignored, so each operation states its own."""
    for path, verb, operation in _operations(template):
        expected = [] if (path, verb) in PUBLIC else [{"Caller": []}]
        assert operation["security"] == expected, (path, verb)
    assert {(path, verb) for path, verb, _ in _operations(template)} >= PUBLIC


# patch and head, which no route has, are told by the api which methods there are; API Gateway would say 403
VERBS = {"get", "post", "put", "delete", "patch", "head"}


def test_everything_else_goes_to_the_api_by_explicit_verbs(template: Template) -> None:
    assert set(_definition(template)["paths"]["/{proxy+}"]) == {*VERBS, "options"}


def test_sam_local_keeps_open_methods_and_guarded_ones_of_a_path_apart(template: Template) -> None:
    # sam local merges a path's methods unless an operationId tells them apart, and then any one's authorizer is all's.
    for operations in _definition(template)["paths"].values():
        authorizers = {(each.get("operationId"), str(each["security"])) for each in operations.values()}
        assert len({name for name, _ in authorizers}) == len(authorizers)
    for path, verb, operation in _operations(template):
        integration = operation["x-amazon-apigateway-integration"]
        assert (integration["type"], integration["httpMethod"]) == ("aws_proxy", "POST"), (path, verb)
        function = "dashboard" if (path, verb) in FILES else "api"
        published = f":function:${{AWS::StackName}}-{function}:live/invocations"
        assert integration["uri"]["Fn::Sub"].endswith(published), path


def test_an_authorizers_answer_is_cached_by_its_token_or_not_at_all(template: Template) -> None:
    """API Gateway API Reference, CreateAuthorizer: the identity source is the key of the cache, and a request
    without it is refused unseen. In header mode a caller has no Authorization, so there is neither source nor
    cache."""
    authorizer = _definition(template)["components"]["securitySchemes"]["Caller"]["x-amazon-apigateway-authorizer"]
    assert authorizer["type"] == "request"
    assert authorizer["identitySource"]["Fn::If"] == [
        "TrustsHeaders",
        "",
        "method.request.header.Authorization",
    ]
    assert authorizer["authorizerResultTtlInSeconds"]["Fn::If"] == ["TrustsHeaders", 0, 300]


def test_the_gateways_own_errors_are_problems_like_ours(template: Template) -> None:
    """RFC 9457. API Gateway Developer Guide, "Set up gateway responses": variables are put in as they are, no VTL."""
    responses = _definition(template)["x-amazon-apigateway-gateway-responses"]
    assert set(responses) == RESPONSE_TYPES
    for name, response in responses.items():
        headers = response["responseParameters"]
        assert headers["gatewayresponse.header.Content-Type"] == "'application/problem+json'", name
        assert headers["gatewayresponse.header.Access-Control-Allow-Origin"] == "'*'", name
        body = response["responseTemplates"]["application/json"].replace("$context.error.messageString", '"why"')
        problem = json.loads(body)
        assert {"type", "title", "detail", "request_id"} <= set(problem), name
        if not name.startswith("DEFAULT"):
            assert problem["status"] == response["statusCode"], name


def test_the_stage_is_throttled_and_its_access_logs_name_no_secret(template: Template) -> None:
    api = template.properties("Api")
    (settings,) = api["MethodSettings"]
    assert {"ThrottlingRateLimit", "ThrottlingBurstLimit"} <= set(settings)
    fields = json.loads(api["AccessLogSetting"]["Format"])
    assert {"request_id", "status", "path", "caller", "latency_ms"} <= set(fields)
    assert not any("header" in value or "authorizer.claims" in value for value in fields.values())


def test_access_logs_have_the_role_without_which_the_stage_is_refused(template: Template) -> None:
    """API Gateway Developer Guide, "Set up CloudWatch logging for REST APIs": one role an account and Region, set
    by AWS::ApiGateway::Account; deleting it with this stack would silence other APIs."""
    assert template.resources["Api"]["DependsOn"] == "ApiGatewayAccount"
    for name in ("ApiGatewayAccount", "ApiGatewayLogsWriter"):
        assert template.resources[name]["DeletionPolicy"] == "Retain"
        assert template.resources[name]["Condition"] == "CreatesLogsRole"


def test_an_account_new_to_api_gateway_gets_another_resource_first(template: Template) -> None:
    """CloudFormation User Guide, "AWS::ApiGateway::Account": without any there yet, it needs a dependency on one."""
    assert template.resources["ApiGatewayAccount"]["DependsOn"] == "FirstOfApiGateway"
    assert template.resources["FirstOfApiGateway"]["Condition"] == "CreatesLogsRole"
    assert template.properties("FirstOfApiGateway")["Enabled"] is False


@pytest.mark.parametrize("function", ["ApiFunction", "SenderFunction"])
def test_no_webhook_may_point_at_the_api_itself(template: Template, function: str) -> None:
    _, with_more, alone = template.variables(function)["OWN_HOSTS"]["Fn::If"]
    assert alone["Fn::Sub"] == "${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}"
    assert with_more["Fn::Sub"] == alone["Fn::Sub"] + ",${OwnHosts}"


def test_only_the_local_stage_may_trust_headers_or_deliver_inwards(template: Template) -> None:
    """CloudFormation User Guide, "CloudFormation template Rules": asserted before anything is created."""
    rule = template.document["Rules"]["LocalOnly"]
    assert rule["RuleCondition"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "Stage"}, "local"]}]}
    asserted = {}
    for each in rule["Assertions"]:
        parameter, value = each["Assert"]["Fn::Equals"]
        asserted[parameter["Ref"]] = value
    assert asserted == LOCAL_ONLY
    assert {name: template.parameters[name]["Default"] for name in LOCAL_ONLY} == LOCAL_ONLY


def _overrides(environment: str) -> dict[str, str]:
    config = tomllib.loads((PROJECT / "samconfig.toml").read_text())
    return dict(
        each.split("=", 1) for each in config[environment]["deploy"]["parameters"]["parameter_overrides"].split()
    )


@pytest.mark.parametrize("environment", ["default", "dev", "small", "prod", "local"])
def test_each_environment_sets_only_what_the_template_takes(template: Template, environment: str) -> None:
    for name, value in _overrides(environment).items():
        parameter = template.parameters[name]
        assert value in map(str, parameter.get("AllowedValues", [value])), name
        assert re.search(parameter.get("AllowedPattern", ""), value), name


@pytest.mark.parametrize(
    ("environment", "stage"), [("default", "dev"), ("dev", "dev"), ("small", "dev"), ("prod", "prod")]
)
def test_no_environment_in_aws_opens_what_is_for_the_local_stage(environment: str, stage: str) -> None:
    overrides = _overrides(environment)
    assert overrides["Stage"] == stage
    assert not set(overrides) & set(LOCAL_ONLY)


def test_the_outputs_say_where_everything_is(template: Template) -> None:
    outputs = template.document["Outputs"]
    assert outputs["BaseUrl"]["Value"]["Fn::Sub"].endswith("/${Stage}")
    queues = {f"{name}Url" for name in template.of_type("AWS::SQS::Queue")}
    functions = {f"{name}Name" for name in template.functions}
    rest = {"BaseUrl", "DashboardUrl", "ApiId", "TableName", "EventBusName", "EventSource", "DataKeyArn"}
    tokens = {"JwtSecretArn", "JwtIssuer", "JwtAudience", "JwtAlgorithms"}
    assert set(outputs) == queues | functions | rest | tokens


TOPICS: dict[str, object] = {
    "page": {"Ref": "AlarmTopicArn"},
    "ticket": {"Fn::If": ["HasTicketTopic", {"Ref": "TicketTopicArn"}, {"Ref": "AlarmTopicArn"}]},
}


def test_alarms_exist_only_where_somebody_hears_them(template: Template) -> None:
    kinds = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
    alarms = {name for name, r in template.resources.items() if r["Type"] in kinds}
    assert alarms
    for name in alarms:
        condition = template.resources[name]["Condition"]
        all_of = template.document["Conditions"][condition].get("Fn::And", [{"Condition": condition}])
        assert {"Condition": "HasAlarms"} in all_of
        urgency = re.search(r"\((page|ticket);", template.properties(name)["AlarmDescription"])
        assert urgency
        if "AlarmActions" in template.properties(name):
            assert template.properties(name)["AlarmActions"] == [TOPICS[urgency[1]]]


def test_traces_begin_at_the_stage_where_functions_record_them(template: Template) -> None:
    assert template.resources["Api"]["Properties"]["TracingEnabled"] == {"Fn::If": ["Traces", True, False]}
    assert template.document["Globals"]["Function"]["Tracing"] == {"Ref": "Tracing"}
    assert template.document["Conditions"]["Traces"] == {"Fn::Equals": [{"Ref": "Tracing"}, "Active"]}
