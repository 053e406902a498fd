"""docs/openapi.json: complete enough to be called by, and its examples are what it describes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

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
        assert public or operation.get("security", DOCUMENT["security"]) == [{"bearer": []}], name
        assert public or {"401", "403", "429", "503"} <= set(responses), name
        assert responses["default"] == {"$ref": "#/components/responses/Problem"}, name
        assert any(status.startswith("2") for status in responses), name
        assert operation["summary"], name
        assert operation["tags"], name
    assert {name for name, each in OPERATIONS.items() if each.get("security") == []} == {"health", "ready"}
