"""template.yaml as data, with the few questions that its tests ask of it."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from samtranslator.translator.transform import transform

from localstack.cloudformation import load, with_parameters

PROJECT = Path(__file__).parents[2]
Node = Any


@dataclass(frozen=True)
class Template:
    """The template as written, before any transform."""

    document: Mapping[str, Any]

    @property
    def parameters(self) -> Mapping[str, Any]:
        return self.document["Parameters"]

    @property
    def resources(self) -> Mapping[str, Any]:
        return self.document["Resources"]

    def of_type(self, kind: str) -> dict[str, Any]:
        """Logical id -> properties of each resource of this type."""
        return {name: r.get("Properties", {}) for name, r in self.resources.items() if r["Type"] == kind}

    def properties(self, logical_id: str) -> Node:
        return self.resources[logical_id]["Properties"]

    @property
    def functions(self) -> dict[str, Any]:
        """Logical id -> properties, with what Globals adds."""
        common = self.document["Globals"]["Function"]
        return {name: common | own for name, own in self.of_type("AWS::Serverless::Function").items()}

    def variables(self, function: str) -> dict[str, Any]:
        """The function's environment."""
        common = self.document["Globals"]["Function"]["Environment"]["Variables"]
        return common | self.properties(function)["Environment"]["Variables"]

    def statements(self, function: str) -> list[dict[str, Any]]:
        """The function's own policy statements, Action and Resource always lists."""
        policies = [branch for policy in self.properties(function)["Policies"] for branch in either(policy)]
        return [
            {"Action": listed(each["Action"]), "Resource": listed(each["Resource"]), "Condition": each.get("Condition")}
            for policy in policies
            for each in policy["Statement"]
        ]

    def may(self, function: str, action: str) -> list[Node]:
        """What the function may do this to."""
        return [r for each in self.statements(function) if action in each["Action"] for r in each["Resource"]]

    @property
    def queue_mappings(self) -> Iterator[tuple[str, Any, str, str]]:
        """(mapping, its properties, function, queue)"""
        for name, mapping in self.of_type("AWS::Lambda::EventSourceMapping").items():
            source = attribute_of(mapping["EventSourceArn"])[0]
            if self.resources[source]["Type"] == "AWS::SQS::Queue":
                yield name, mapping, mapping["FunctionName"]["Ref"].removesuffix(".Alias"), source


@cache
def read_template() -> Template:
    """The project's, read once, as it is where the stack makes its own table, on demand, and key, and has static
    addresses."""
    return Template(_with_its_own(load(PROJECT / "template.yaml")))


def _with_its_own(node: Node) -> Node:
    if isinstance(node, dict):
        branches = node.get("Fn::If", [""])
        if branches[0] in ("MakesTable", "MakesKey", "HasStaticEgress"):
            return _with_its_own(branches[1])
        if branches[0] == "ProvisionsTable":
            return _with_its_own(branches[2])
        return {name: _with_its_own(value) for name, value in node.items()}
    return [_with_its_own(value) for value in node] if isinstance(node, list) else node


def listed(node: Node) -> list[Node]:
    return node if isinstance(node, list) else [node]


def either(node: Node) -> list[Node]:
    """What an Fn::If may come to, without AWS::NoValue."""
    branches = node["Fn::If"][1:] if isinstance(node, dict) and "Fn::If" in node else [node]
    return [branch for branch in branches if branch != {"Ref": "AWS::NoValue"}]


def attribute_of(node: Node) -> tuple[str, str]:
    """(logical id, attribute) of an Fn::GetAtt."""
    logical_id, attribute = node["Fn::GetAtt"]
    return logical_id, attribute


def dimensions_of(metric: list[dict[str, Any]]) -> dict[str, str]:
    """Dimension -> the logical id or pseudo parameter that its value comes from, or the value itself."""
    return {each["Name"]: _source(each["Value"]) for each in metric}


def _source(value: Node) -> str:
    if isinstance(value, str):
        return value
    return value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0]


def transformed(parameters: Mapping[str, str] | None = None, code: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What CloudFormation gets: SAM's transform of the template. `code` says where some packages are."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # the transform asks where it is
    document = with_parameters(load(PROJECT / "template.yaml"), {"Stage": "dev", **(parameters or {})})
    for name, resource in document["Resources"].items():
        place = (code or {}).get(name, f"s3://packages/{name}")
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = place
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            resource["Properties"]["ContentUri"] = place
    return transform(document, {}, cast("Any", _NoManagedPolicies()))


class _NoManagedPolicies:
    """The template names none, and AWS is not asked for its own."""

    def load(self) -> dict[str, str]:
        return {}
