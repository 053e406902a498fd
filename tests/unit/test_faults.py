"""Whatever is wrong with a request is said in the product's words."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from webhooks import faults
from webhooks.management import requests
from webhooks.matching.filter_document import Filters, parse_filters

PYDANTIC = re.compile(r"should|Input|valid (string|integer|number|list|dictionary)|Field required|\bitem\b|List|String")
VALUES: list[Any] = [None, 1, 1.5, -1, 10**20, float("nan"), "", "x", "x" * 5_000, True, [], [1], ["x"] * 2_000]
VALUES += [{}, {"a": 1}, {1: 2}, {"event_type": 1}, [{"event_type": 1}], {"operator": "x", "rules": [{}]}]
MODELS = [
    model
    for model in vars(requests).values()
    if isinstance(model, type) and issubclass(model, requests.Request) and model is not requests.Request
]


def _messages(model: type[BaseModel], document: object) -> Iterator[str]:
    try:
        model.model_validate(document)
    except ValidationError as exc:
        yield from (faults.in_words(fault) for fault in exc.errors())


@pytest.mark.parametrize("model", [*MODELS, Filters], ids=lambda model: model.__name__)
def test_no_message_is_pydantics(model: type[BaseModel]) -> None:
    said = {
        message
        for name in [*model.model_fields, "unknown"]
        for value in VALUES
        for message in _messages(model, {name: value})
    }
    said |= set(_messages(model, [])) | set(_messages(model, "text"))
    assert said
    assert sorted(message for message in said if PYDANTIC.search(message)) == []


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "", "must not be empty"),
        ("name", "x" * 201, "must have at most 200 characters"),
        ("max_retries", 99, "must be at most 15"),
        ("max_retries", "3", "must be a whole number"),
        ("rate_limit_rps", 0, "must be greater than 0"),
        ("status", "off", "must be 'active', 'paused' or 'inactive'"),
        ("metadata", [], "must be an object"),
    ],
)
def test_a_message_says_what_would_be_right(field: str, value: object, message: str) -> None:
    assert message in list(_messages(requests.WebhookChange, {field: value}))


def test_filters_speak_the_same_language() -> None:
    with pytest.raises(Exception, match=r"filters\.user_id: must be a list"):
        parse_filters({"user_id": 7})
