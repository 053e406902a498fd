"""Nothing that is imported or asked for at run time is missing from what AWS gets: by the sources, and by running."""

import ast
import json
import re
import sys
import urllib.parse
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.regions import EndpointResolver

from localstack.stack import LocalStack
from scripts.building import dependencies
from tests.conftest import Figure
from tests.infrastructure.template_document import PROJECT, Template, attribute_of
from tests.security.estate import make
from tests.support.sam import SAMPLES, Build, built, emulated, environment_of, sample, trigger_of
from tests.support.service import Service, eventually
from tests.support.stack import stack

__all__ = ["built", "stack"]
pytestmark = pytest.mark.timeout(300)  # sam build
DOCUMENT = json.loads((PROJECT / "docs" / "openapi.json").read_text())
# What goes last, since nothing is there afterwards.
ORDER = ("get", "post", "put", "delete")
PROXY = "/{proxy+}"
PUBLIC = ("/health", "/ready", "/openapi.json", "/.well-known/jwks.json", "/portal-sessions")
DESCRIPTION = ("get", "/openapi.json", {"operationId": "getDescription", "responses": {"200": {}}})  # not in itself
PROBLEM = ("get", "/problems/loop", {"operationId": "explainProblem", "responses": {"200": {}}})  # neither is this
# The second sender is the first one's code: what runs it there runs it here.
STATIC = {"StaticDeliveryQueue -> StaticSenderFunction", "ApiFunction -> StaticsenderFunction"}
SCOPES = "webhooks events:write metrics:read api-keys"
# who else may not call them
ADMINS = ("getTenants", "removeMember", "eraseTenant", "getErasure", "listErasures", "rotateSigningKey")
ADMINS += ("createPortalLink", "revokePortalLink")


def modules(source: ast.AST) -> Iterator[str]:
    """The names of the modules that a source imports, wherever in it."""
    for node in ast.walk(source):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""


def imported(folder: Path) -> dict[str, str]:
    """Module -> a file that imports it, for all that Python does not bring along."""
    found = {name: path.name for path in folder.rglob("*.py") for name in modules(ast.parse(path.read_text()))}
    return {name: path for name, path in found.items() if name.partition(".")[0] not in sys.stdlib_module_names}


def is_there(module: str, path: Iterable[Path]) -> bool:
    """Whether Python finds the module in one of these folders and nowhere else."""
    places: list[str] | None = [str(each) for each in path]
    for part in module.split("."):
        spec = PathFinder.find_spec(part, places)
        if spec is None:
            return False
        places = list(spec.submodule_search_locations or [])
    return True


def test_every_import_is_in_the_package_or_the_layer(built: Build, template: Template) -> None:
    layer = built.site("DependenciesLayer")
    for name in template.functions:
        package = built.folder / name
        missing = {each: by for each, by in imported(package).items() if not is_there(each, (package, layer))}
        assert missing == {}, name


def test_whatever_leaves_the_layer_is_missed(built: Build, template: Template, tmp_path: Path) -> None:
    """Each of the packages that the code imports, taken out alone."""
    layer = built.site("DependenciesLayer")
    everything = {each for name in template.functions for each in imported(built.folder / name)}
    third_party = {each.partition(".")[0] for each in everything if not is_there(each, [built.folder / "ApiFunction"])}
    third_party = {each for each in third_party if is_there(each, [layer])}
    assert {"botocore", "httpx", "pydantic", "aws_lambda_powertools", "cryptography"} <= third_party
    for gone in sorted(third_party):
        rest = tmp_path / gone
        rest.mkdir()
        for path in layer.iterdir():
            if path.name.partition(".")[0] != gone:
                (rest / path.name).symlink_to(path)
        assert not all(is_there(each, [rest]) for each in everything if each.partition(".")[0] == gone), gone


def test_botocore_keeps_the_services_that_are_called(built: Build) -> None:
    data = built.site("DependenciesLayer") / "botocore" / "data"
    assert {path.name for path in data.iterdir() if path.is_dir()} == dependencies.SERVICES
    assert (data / "endpoints.json").stat().st_size < 100_000
    sources = [*PROJECT.glob("shared/webhooks/**/*.py"), *PROJECT.glob("functions/**/*.py")]
    called = {name for path in sources for name in services(ast.parse(path.read_text()))}
    assert {"cloudwatch", "sqs"} <= called
    assert called <= dependencies.SERVICES


def test_botocore_finds_the_services_that_are_called_where_it_did(built: Build) -> None:
    """In every region, of every partition."""
    whole, kept = (
        EndpointResolver(json.loads((Path(each) / "data" / "endpoints.json").read_text()))
        for each in (botocore.__path__[0], built.site("DependenciesLayer") / "botocore")
    )
    regions = [
        (name, region)
        for name in whole.get_available_partitions()
        for region in whole.get_available_endpoints("sqs", name, allow_non_regional=True)
    ]
    assert len(regions) > 30
    for service in dependencies.ENDPOINTS:
        for partition, region in regions:
            found = [each.construct_endpoint(service, region, partition) for each in (whole, kept)]
            assert found[0] == found[1], (service, region)


def services(source: ast.AST) -> Iterator[str]:
    """`client("sqs")` and `partial(client, "events")`, however the call is spread over lines."""
    for call in (node for node in ast.walk(source) if isinstance(node, ast.Call)):
        named = [ast.unparse(each).rpartition(".")[2] for each in (call.func, *call.args[:1])]
        if "client" in named:
            yield from (str(each.value) for each in call.args if isinstance(each, ast.Constant))


def test_every_route_answers_as_built(built: Build, stack: LocalStack, tmp_path: Path, figure: Figure) -> None:
    """Each of docs/openapi.json with its example, on a tenant that has one of everything. By AWS's runtime client and
    the runtime interface emulator, on nothing but the package and the layer."""
    variables = environment_of(stack, "ApiFunction") | {"AWS_ENDPOINT_URL": stack.endpoint_url}
    with Service.of(stack) as service, emulated(built, "ApiFunction", variables, tmp_path / "run") as runtime:
        estate = make(service, service.user())
        seen: defaultdict[str, list[str]] = defaultdict(list)
        cursor, link = "", {"id": "", "link": ""}
        for method, path, operation in sorted([DESCRIPTION, PROBLEM, *routes()], key=_turn):
            # what is given up is replayed and retried
            ids = dict(estate.ids) | {"workspace_id": "456", "user_id": "somebody else", "tenant_id": "user:none"}
            ids |= {"consumer": "billing", "link_id": link["id"]}
            if "{dead_letter_id}" in path or path.endswith("/retry"):
                ids |= {"webhook_id": ids["failing_webhook_id"], "delivery_id": ids["failed_delivery_id"]}
            asked, good = (
                request(method, path.format(**ids), operation, estate.owner.user_id),
                documented_success(operation),
            )
            if path.endswith("/commit"):
                asked["body"] = json.dumps({"cursor": cursor})
            if path == "/portal-sessions":
                asked["body"] = json.dumps({"link": link["link"]})
            answer = runtime.invoke(asked)
            if operation["operationId"] == "createPortalLink":  # which comes before it is redeemed, and revoked
                link = json.loads(answer["body"])
            if operation["operationId"] == "pullEvents":  # which comes before it is committed
                cursor = json.loads(answer["body"])["next_cursor"]
            if path.endswith("/retry") and answer["statusCode"] == 409:  # the replay of before is being sent
                answer = eventually(lambda asked=asked: runtime.invoke(asked), lambda found: found["statusCode"] != 409)
            assert str(answer["statusCode"]) in good, (method, path, answer["body"])
            seen[path].append(f"{method.upper()} {answer['statusCode']}")
    assert {path: len(answers) for path, answers in seen.items()} == {
        DESCRIPTION[1]: 1, PROBLEM[1]: 1, **{path: len(item) for path, item in DOCUMENT["paths"].items()},
    }  # fmt: skip
    for path, answers in sorted(seen.items()):
        figure(f"as built: {path}: {', '.join(answers)}")


def test_everything_that_invokes_a_function_is_run_as_built(template: Template) -> None:
    """By its sample of events/ (test_build.py), or as a route of its own above."""
    ran = {trigger_of(name) for name in SAMPLES}
    ran |= {f"{resource_of(path)} -> ApiFunction" for _, path, _ in [DESCRIPTION, PROBLEM, *routes()]}
    assert triggers(template) - STATIC == ran
    assert template.functions["StaticSenderFunction"]["CodeUri"] == template.functions["SenderFunction"]["CodeUri"]


def triggers(template: Template) -> set[str]:
    """What the template lets invoke which function."""
    api = template.properties("Api")["DefinitionBody"]
    found = {"authorizer -> AuthorizerFunction"}
    for path, item in api["paths"].items():
        for operation in item.values():
            uri = operation["x-amazon-apigateway-integration"].get("uri")
            if uri is not None:
                found.add(f"{path} -> {_function(uri['Fn::Sub'])}")
    for mapping in template.of_type("AWS::Lambda::EventSourceMapping").values():
        source, _ = attribute_of(mapping["EventSourceArn"])
        found.add(f"{source} -> {mapping['FunctionName']['Ref'].removesuffix('.Alias')}")
    for name, properties in template.functions.items():
        found |= {f"{each['Type'].lower()} -> {name}" for each in properties.get("Events", {}).values()}
        found |= {f"{name} -> {_function(arn['Fn::Sub'])}" for arn in template.may(name, "lambda:InvokeFunction")}
    return found


def _function(arn: str) -> str:
    """The logical id of the function in an ARN that ends with its name and alias."""
    (name,) = re.findall(r"-(\w+):live", arn)
    return f"{name.capitalize()}Function"


def resource_of(path: str) -> str:
    """The gateway's resource that takes a path of the api."""
    if path.startswith("/problems/"):
        return "/problems/{name}"
    return path if path in PUBLIC else PROXY


def _turn(route: tuple[str, str, Mapping[str, Any]]) -> tuple[bool, int, int]:
    """What is asked about has to be there: an erasure before its progress, all else before it is deleted."""
    method, path, operation = route
    return operation["operationId"] != "eraseTenant", ORDER.index(method), -len(path)


def routes() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def documented_success(operation: Mapping[str, Any]) -> set[str]:
    ended = {"409"} if operation["operationId"] == "cancelReplay" else set[str]()  # the estate's one has
    return ended | {status for status in operation["responses"] if status.startswith("2")}


def request(method: str, path: str, operation: Mapping[str, Any], user_id: int) -> dict[str, Any]:
    """As API Gateway hands it on, with a caller that the authorizer let in."""
    event = sample("api_create_webhook")
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    body = content.get("example")
    if body is None and content:
        body = next(iter(content["examples"].values()))["value"]
    if isinstance(body, dict) and "user_id" in body:
        body = {**body, "user_id": user_id}
    scopes = f"{SCOPES} admin" if operation["operationId"] in ADMINS else SCOPES
    caller = {"user_id": str(user_id), "workspace_ids": '["456"]', "scopes": scopes}
    context = event["requestContext"] | {"httpMethod": method.upper(), "path": path, "authorizer": caller}
    return event | {
        "resource": resource_of(path),
        "path": urllib.parse.quote(path),
        "httpMethod": method.upper(),
        "requestContext": context,
        "body": None if body is None else json.dumps(body),
    }
