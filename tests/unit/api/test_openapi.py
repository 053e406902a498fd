"""docs/openapi.json: complete enough to be called by, and its examples are what it describes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from webhooks.event_types import DEFAULT_EVENT_TYPES
from webhooks.events.catalogue import catalogue
from webhooks.request.headers import delivery_headers
from webhooks.request.signing import SigningSecrets, signature_headers

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parents[3] / "docs" / "openapi.json").read_text())
OPERATIONS = {each["operationId"]: each for path in DOCUMENT["paths"].values() for each in path.values()}


def examples(node: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where, schema and example of each."""
    if isinstance(node, dict):
        if "example" in node and "schema" in node:
            yield place, node["schema"], node["example"]
        for name, child in node.items():
            yield from examples(child, f"{place}/{name}")


@pytest.mark.parametrize(("place", "schema", "example"), list(examples(DOCUMENT)))
def test_examples_are_what_they_are_examples_of(place: str, schema: Any, example: Any) -> None:
    validator = Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    assert [error.message for error in validator.iter_errors(example)] == [], place


def test_a_service_that_is_not_ready_says_what_is_missing() -> None:
    responses = OPERATIONS["ready"]["responses"]
    assert responses["503"]["content"] == responses["200"]["content"]


def test_every_body_has_an_example() -> None:
    bodies = {name: each["requestBody"] for name, each in OPERATIONS.items() if "requestBody" in each}
    assert len(bodies) > 8
    assert [name for name, body in bodies.items() if "example" not in body["content"]["application/json"]] == []


def test_every_operation_says_who_may_call_it_and_what_may_go_wrong() -> None:
    for name, operation in OPERATIONS.items():
        responses = operation["responses"]
        public = operation.get("security") == []
        keys = [] if "api-keys" in operation["tags"] else [{"apiKey": []}]  # a key makes no other
        assert public or operation.get("security", DOCUMENT["security"]) == [{"bearer": []}, *keys], name
        assert public or {"401", "403", "429", "503"} <= set(responses), name
        assert responses["default"] == {"$ref": "#/components/responses/Problem"}, name
        assert any(status.startswith("2") for status in responses), name
        assert operation["summary"], name
        assert operation["tags"], name
    public = {name for name, each in OPERATIONS.items() if each.get("security") == []}
    assert public == {"health", "ready", "getPublicKeys", "redeemPortalLink"}


# -- what generators of clients trip over


def places(node: Any = DOCUMENT, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the document by where it stands."""
    if isinstance(node, dict):
        yield path, node
        for name, child in node.items():
            yield from places(child, f"{path}/{name}")
    elif isinstance(node, list):
        for number, child in enumerate(node):
            yield from places(child, f"{path}/{number}")


def test_a_union_is_any_of_and_a_pair_says_what_its_items_are() -> None:
    assert [path for path, each in places() if isinstance(each.get("type"), list)] == []
    assert [path for path, each in places() if "prefixItems" in each and "items" not in each] == []


def test_a_union_of_objects_is_told_apart_by_a_field() -> None:
    assert [path for path, each in places() if "oneOf" in each] == []
    unions = [(path, each) for path, each in places() if len([b for b in each.get("anyOf", ()) if "$ref" in b]) > 1]
    published = "/paths//api/v1/events/post/requestBody/content/application/json/schema"  # one event, or several
    assert [path for path, each in unions if "discriminator" not in each] == [published]
    mapping = DOCUMENT["components"]["schemas"]["FilterNode"]["discriminator"]["mapping"]
    assert (mapping["equals"], mapping["not"], mapping["any"]) == tuple(
        f"#/components/schemas/{name}" for name in ("Rule", "Group", "ListRule")
    )


def test_an_enumeration_that_stands_twice_has_a_name() -> None:
    found = [(path, tuple(each["enum"])) for path, each in places() if isinstance(each.get("enum"), list)]
    twice = {values for _, values in found if sum(values == other for _, other in found) > 1}
    assert [path for path, values in found if values in twice] == []


def test_a_request_may_leave_out_what_has_a_default() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    asked = [
        each
        for name in ("WebhookRequest", "SubscriptionRequest", "Filters", "SendTest")
        for each in places(schemas[name])
    ]
    assert [path for path, each in asked if "default" in each] == []
    assert schemas["WebhookRequest"]["properties"]["max_retries"]["description"].endswith("if absent")


def test_no_parameter_is_null() -> None:
    parameters = [(name, each) for name, operation in OPERATIONS.items() for each in operation.get("parameters", ())]
    assert [place for place in parameters if {"type": "null"} in place[1]["schema"].get("anyOf", ())] == []


def test_names_are_plain_and_operations_and_tags_are_described() -> None:
    assert [name for name in DOCUMENT["components"]["schemas"] if name.endswith(("Answer", "Response"))] == [
        "AttemptResponse",
        "TestResponse",
    ]
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for field, told in schema.get("properties", {}).items():
            assert told.get("description"), f"{name}.{field}"
    tags = {each["name"]: each["description"] for each in DOCUMENT["tags"]}
    for name, operation in OPERATIONS.items():
        assert operation["description"], name
        assert all(each["description"] for each in operation.get("parameters", ())), name
        assert set(operation["tags"]) <= tags.keys(), name
        assert not any(" " in tag for tag in operation["tags"]), name


def test_what_receivers_get_is_described_by_event_type() -> None:
    assert set(DOCUMENT["webhooks"]) == {each.name for each in catalogue(DEFAULT_EVENT_TYPES)}
    headers = {each["name"] for each in DOCUMENT["webhooks"]["record.created"]["post"]["parameters"]}
    sent = delivery_headers(
        {},
        signature_headers(SigningSecrets("s" * 30), prefix="X-PyAirtable", event_id="e", timestamp=1, body=b"{}"),
        prefix="X-PyAirtable",
        user_agent="u",
        event_id="e",
        event_type="t",
        webhook_id="w",
        delivery_id="d",
        attempt=1,
        trace="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )
    assert headers == sent.keys() - {"User-Agent", "Content-Type"}
