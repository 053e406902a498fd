"""template.yaml read as plain data, and its parameters set."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from localstack.emulator import LocalStackError

Template = dict[str, Any]


def load(path: Path) -> Template:
    """The template with its short forms written out: `!Ref A` as {"Ref": "A"}, `!Sub x` as {"Fn::Sub": "x"}."""
    return cast("Template", yaml.load(path.read_text(encoding="utf-8"), _Loader))  # noqa: S506 - a SafeLoader


def with_parameters(template: Template, values: Mapping[str, str]) -> Template:
    """The template with these values as its parameters' defaults: SAM's transform looks only at the defaults.

    Raises LocalStackError for a parameter that the template does not have.
    """
    parameters = dict(cast("Mapping[str, Template]", template.get("Parameters", {})))
    for name, value in values.items():
        if name not in parameters:
            raise LocalStackError(f"template.yaml has no parameter {name}; it has {', '.join(sorted(parameters))}.")
        parameters[name] = parameters[name] | {"Default": value}
    return template | {"Parameters": parameters}


class _Loader(yaml.SafeLoader):
    """Knows CloudFormation's tags. A class of its own, so that no other YAML is read with them."""


def _intrinsic(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Template:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(cast("yaml.MappingNode", node), deep=True)}


_Loader.add_multi_constructor("!", _intrinsic)  # pyright: ignore[reportUnknownMemberType]
# A version is a string in CloudFormation, never a date.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
