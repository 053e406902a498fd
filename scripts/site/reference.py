"""The API's reference as pages of Markdown, made from docs/openapi.json: one for each tag, of schemas, of problems."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]
SUCCESS = "2"
LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matches `{}`",
    "default": "{} if absent",
}


def pages(document: Json, problems: Iterable[tuple[int, str, str, str, str]]) -> dict[str, str]:
    """Each page's Markdown by its name. `problems` are status, name, title, meaning and remedy of each kind."""
    told = {tag["name"]: tag["description"] for tag in document["tags"]}
    return {
        "index.md": _index(document, told),
        **{f"{tag}.md": _tag(document, tag, told[tag]) for tag in told},
        "schemas.md": _schemas(document),
        "problems.md": _problems(problems),
    }


def _operations(document: Json, tag: str) -> Iterable[tuple[str, str, Json]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if operation["tags"][0] == tag:
                yield method.upper(), path, operation


def _index(document: Json, told: Mapping[str, str]) -> str:
    lines = [
        "# API reference",
        "",
        document["info"]["description"],
        "",
        "Paths begin at the stack's output `BaseUrl`, or at `http://localhost:8086` after `make run`. A call names its",
        "caller by `Authorization: Bearer` and [a token or an API key](../configuration.md#who-may-call). The same for",
        "programs is [openapi.json](../openapi.json), from which [clients](../elsewhere/clients/README.md) are made.",
        "",
    ]
    for tag, description in told.items():
        lines += [f"## [{_words(tag)}]({tag}.md)", "", f"{description}.", "", "| | |", "|---|---|"]
        lines += [
            f"| [`{method} {path}`]({tag}.md#{operation['operationId'].lower()}) | {operation['summary']} |"
            for method, path, operation in _operations(document, tag)
        ]
        lines.append("")
    return "\n".join(lines)


def _tag(document: Json, tag: str, description: str) -> str:
    lines = [f"# {_words(tag)}", "", f"{description}.", ""]
    for method, path, operation in _operations(document, tag):
        lines += [f"## {operation['summary']} {{ #{operation['operationId'].lower()} }}", "", f"`{method} {path}`", ""]
        lines += [operation["description"], ""] if operation.get("description") else []
        if operation.get("security") == []:
            lines += ["Needs no token.", ""]
        lines += _parameters(operation.get("parameters", ()))
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body:
            lines += ["**Body**: " + _type(body["schema"]), ""]
            lines += _example(body)
        lines += _answers(document, operation["responses"])
    return "\n".join(lines)


def _parameters(parameters: Iterable[Json]) -> list[str]:
    rows = [
        f"| `{each['name']}` | {each['in']}{'' if each.get('required') else ', optional'} | {_type(each['schema'])} "
        f"| {_described({**each['schema'], 'description': each.get('description', '')})} |"
        for each in parameters
    ]
    return ["| Parameter | In | Type | |", "|---|---|---|---|", *rows, ""] if rows else []


def _answers(document: Json, responses: Mapping[str, Json]) -> list[str]:
    lines: list[str] = []
    for status, answer in responses.items():
        if not status.startswith(SUCCESS):
            continue
        if not answer.get("content"):
            lines += [f"**{status}**", ""]
        for media_type, content in answer.get("content", {}).items():
            shape = _type(content["schema"]) if media_type.endswith("json") else f"`{media_type}`"
            lines += [f"**{status}**: {shape}", "", *_example(content)]
    shared = document["components"]["responses"]
    refused = [
        f"[{status}](problems.md#{_problem(shared[name])})"
        for status, answer in responses.items()
        if status.isdecimal() and (name := answer.get("$ref", "").rpartition("/")[2])
    ]
    return [*lines, *([f"Errors: {', '.join(refused)}.", ""] if refused else [])]


def _problem(answer: Json) -> str:
    """The name of the problem that an answer is an example of."""
    return answer["content"]["application/problem+json"]["example"]["type"].rpartition("/")[2]


def _example(content: Json) -> list[str]:
    if "example" not in content:
        return []
    text = json.dumps(content["example"], indent=2, ensure_ascii=False)
    return ['??? example "Example"', "", *("    " + line for line in ["```json", *text.splitlines(), "```"]), ""]


def _schemas(document: Json) -> str:
    lines = ["# Schemas", "", "What requests and answers are made of.", ""]
    for name, schema in sorted(document["components"]["schemas"].items()):
        lines += [f"## {name} {{ #{name.lower()} }}", "", _paragraph(schema.get("description", "")), ""]
        if "properties" not in schema:
            lines += [_type(schema), ""]
            continue
        required = schema.get("required", ())
        lines += ["| Field | Type | |", "|---|---|---|"]
        lines += [
            f"| `{field}`{'' if field in required else ' (optional)'} | {_type(shape)} | {_described(shape)} |"
            for field, shape in schema["properties"].items()
        ]
        lines.append("")
    return "\n".join(lines)


def _problems(problems: Iterable[tuple[int, str, str, str, str]]) -> str:
    lines = [
        "# Problems",
        "",
        "An error is a document of type `application/problem+json` ([Problem](schemas.md#problem)). Its `type` is",
        "stable, and a page below the API's own address: what stands here is there, too.",
        "",
    ]
    for status, name, title, means, remedy in problems:
        lines += [
            f"## {status} {title} {{ #{name} }}",
            "",
            f"`/problems/{name}`",
            "",
            means,
            "",
            f"**What to do.** {remedy}",
            "",
        ]
    return "\n".join(lines)


def _type(schema: Json) -> str:
    """The type in words, with links to schemas."""
    if name := schema.get("$ref", "").rpartition("/")[2]:
        return f"[{name}](schemas.md#{name.lower()})"
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    for several, joint in (("anyOf", " or "), ("oneOf", " or "), ("allOf", " and ")):
        if several in schema:
            return joint.join(dict.fromkeys(_type(each) for each in schema[several]))
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_type(schema['items'])}" if "items" in schema else "list"
    if kind == "object" and isinstance(values := schema.get("additionalProperties"), dict):
        return f"object of {_type(values)}" if values else "object"
    return f"{kind} ({schema['format']})" if "format" in schema else str(kind)


def _described(schema: Json) -> str:
    """What a field means and what bounds it, for a cell of a table."""
    bounded = {**schema}
    for each in schema.get("anyOf", ()):
        bounded = {**each, **bounded}
    bounds = [words.format(_plain(bounded[name])) for name, words in LIMITS.items() if name in bounded]
    told = "; ".join(each for each in [_paragraph(schema.get("description", "")), *bounds] if each)
    return told.replace("|", "\\|")


def _plain(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    return value if isinstance(value, str) else json.dumps(value)


def _paragraph(text: str) -> str:
    return " ".join(text.split())


def _words(tag: str) -> str:
    return re.sub("^api", "API", tag).replace("-", " ").capitalize().replace("Api", "API")
