"""What generators of clients need of the OpenAPI document: plain names, one schema for each enumeration, and inputs
that may be left out."""

import json
from collections.abc import Iterator
from typing import Any, cast

Json = dict[str, Any]

_REF = "#/components/schemas/"
OPEN_OBJECT: Json = {"type": "object", "additionalProperties": True}
_MAPS: dict[str, tuple[Json, str]] = {
    "JsonObject": (OPEN_OBJECT, "Any JSON object"),
    "StringMap": ({"type": "object", "additionalProperties": {"type": "string"}}, "Texts by name"),
}
_JSON_VALUE = {"$ref": f"{_REF}JsonValue"}
_FILTER_NODE = "FilterNode"
_OF_ANSWERS = "Answer"  # ends the names of classes whose plain name the domain's own have
# Those that stand in several places, or under a name that others have too.
_ENUMS = {
    ("pending", "delivered", "retrying", "failed", "abandoned"): "DeliveryStatus",
    ("pending", "delivered", "retrying", "failed", "abandoned", "recorded", "not_queued"): "EventResultStatus",
    ("pending", "running", "completed", "failed", "cancelled"): "ReplayStatus",
    ("active", "paused", "inactive", "failed", "deleted"): "WebhookStatus",
    ("active", "paused", "inactive", "failed"): "PresentWebhookStatus",
    ("active", "paused", "inactive"): "ChosenWebhookStatus",
    ("healthy", "degraded", "failing", "disabled", "paused", "inactive"): "HealthLevel",
    ("replay", "recovery"): "ReplayKind",
    ("push", "pull"): "WebhookKind",
    ("hour", "day"): "IntervalLength",
    ("event", "test"): "DeliveryKind",
    ("queued", "missed", "no_match", "unknown_event_type"): "Disposition",
    (
        "webhooks:read",
        "webhooks",
        "events:write",
        "events:write:any",
        "metrics:read",
        "portal-links",
        "admin",
    ): "ApiKeyScope",
    ("webhooks:read", "webhooks", "events:write"): "PortalScope",
}


def shaped(document: Json) -> Json:
    """The document as generators can work with it. The given one stays as it is."""
    document = cast("Json", json.loads(json.dumps(document)))
    for step in (
        _name_enums,
        _let_inputs_be_left_out,
        _let_parameters_be_left_out,
        _name_unions,
        _name_maps,
        _spell_out,
    ):
        step(document)
    return _name_plainly(document)


def _name_plainly(document: Json) -> Json:
    """The document with `Answer` taken off the names of its schemas. Raises ValueError for a name that is taken."""
    text = json.dumps(document)
    names = document["components"]["schemas"].keys()
    for name in names:
        if name.endswith(_OF_ANSWERS):
            plain = name.removesuffix(_OF_ANSWERS)
            if plain in names:
                raise ValueError(f"{name} would be called {plain}, which another schema is")
            text = text.replace(f'"{_REF}{name}"', f'"{_REF}{plain}"').replace(f'"{name}": {{', f'"{plain}": {{')
            text = text.replace(f'"title": "{name}"', f'"title": "{plain}"')
    return json.loads(text)


def _name_enums(document: Json) -> None:
    """Each enumeration of `_ENUMS` becomes a schema of that name, which all places refer to."""
    schemas: Json = {}
    for place in _schemas(document):
        values = place.get("enum", ())
        if name := _ENUMS.get(tuple(values)):
            schemas[name] = {"type": "string", "enum": values}
            del place["enum"], place["type"]
            place["$ref"] = f"{_REF}{name}"
    document["components"]["schemas"] |= schemas


def _name_unions(document: Json) -> None:
    """What stands in a filter is a schema of its own, told apart by `operator`."""
    schemas = document["components"]["schemas"]
    kinds = ("Rule", "Group", "ListRule")
    union = [{"$ref": f"{_REF}{kind}"} for kind in kinds]
    for place in _schemas(document):
        if place.get("oneOf") == union:
            del place["oneOf"]
            place["$ref"] = f"{_REF}{_FILTER_NODE}"
    told_apart = {
        operator: f"{_REF}{kind}" for kind in kinds for operator in schemas[kind]["properties"]["operator"]["enum"]
    }
    schemas[_FILTER_NODE] = {
        "description": "A comparison, rules joined, or a question about the elements of a list: `operator` tells",
        "anyOf": union,
        "discriminator": {"propertyName": "operator", "mapping": told_apart},
    }


def _name_maps(document: Json) -> None:
    """Objects without fields of their own are one of `_MAPS`, which all places refer to."""
    for place in _schemas(document):
        if place.get("additionalProperties") == _JSON_VALUE:
            place["additionalProperties"] = True
        for name, (shape, _) in _MAPS.items():
            if shape.items() <= place.items() and "properties" not in place and "propertyNames" not in place:
                for key in shape:
                    del place[key]
                place["$ref"] = f"{_REF}{name}"
    document["components"]["schemas"] |= {name: {**shape, "description": told} for name, (shape, told) in _MAPS.items()}


def _let_inputs_be_left_out(document: Json) -> None:
    """A default of a field in a request is told in its description.

    With `default`, several generators take the field for one that must be given.
    """
    operations = (operation for path in document["paths"].values() for operation in path.values())
    for name in _reached([operation.get("requestBody", {}) for operation in operations], document):
        for field in document["components"]["schemas"][name].get("properties", {}).values():
            default = field.pop("default", None)
            if default is not None:
                told = f"{json.dumps(default)} if absent"
                field["description"] = f"{field['description']}; {told}" if "description" in field else told


def _let_parameters_be_left_out(document: Json) -> None:
    """A parameter may be left out; no header and no query can say null."""
    for operation in (each for path in document["paths"].values() for each in path.values()):
        for parameter in operation.get("parameters", ()):
            kept = [each for each in parameter["schema"].get("anyOf", ()) if each != {"type": "null"}]
            if len(kept) == 1:
                parameter["schema"] = kept[0]


def _spell_out(document: Json) -> None:
    """One of several types is told as `anyOf`, and what a pair holds also for who does not know `prefixItems`."""
    for place in _schemas(document):
        if isinstance(place.get("type"), list):
            place["anyOf"] = [{"type": each} for each in place.pop("type")]
        if "prefixItems" in place:
            first, *others = place["prefixItems"]
            place["items"] = first if all(each == first for each in others) else {}


def _schemas(node: object) -> Iterator[Json]:
    """Every object in the document, from the outside in."""
    if isinstance(node, dict):
        place = cast("Json", node)
        yield place
        for child in list(place.values()):
            yield from _schemas(child)
    elif isinstance(node, list):
        for child in cast("list[object]", node):
            yield from _schemas(child)


def _reached(nodes: list[Json], document: Json) -> set[str]:
    """Names of the schemas that these nodes refer to, at whatever distance."""
    found: set[str] = set()
    while nodes:
        references = {each["$ref"].removeprefix(_REF) for each in _schemas(nodes.pop()) if "$ref" in each}
        fresh = (references & document["components"]["schemas"].keys()) - found
        found |= fresh
        nodes += [document["components"]["schemas"][name] for name in fresh]
    return found
