"""Each use case is put together in one place, so that what the simulation proves is what runs on AWS."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.functions import COMPOSITIONS

PROJECT = Path(__file__).parents[2]
PLACES = ("functions", "localstack", "scripts", "tests/fakes", "tests/simulation", "tests/chaos", "tests/benchmarks")
USE_CASES = {
    "Admission", "ApiKeyManagement", "AuditLog", "Authorization", "BulkReplays", "Conclusion", "Cursors",
    "DeadLetterManagement",
    "DeadLetterWriter", "DeliveryHistory", "DeliverySearch", "Duplicates", "EndpointHealth", "ErasureJobs",
    "EventErasure", "EventHistory", "EventSearch", "FailureGroups", "FilterTests", "Ingestion", "KeyChecks", "Limits",
    "Members", "Overviews", "Publishing", "Pulling", "ReadinessProbe", "Recovery", "Release", "ReplayJobs", "Replayer",
    "Replays", "RequestLimits", "RequestSigner", "Rollup", "Sender", "ServiceMetrics", "SigningKeyManagement",
    "SubscriptionManagement",
    "TenantErasures", "TenantOverviews", "TestEvents", "TestSender", "WebhookManagement", "WebhookMetrics",
}  # fmt: skip
SHARED = {"RequestSigner": 2, "Replayer": 2, "Duplicates": 2}  # functions that have one of their own


def constructed() -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for place in PLACES:
        for path in sorted((PROJECT / place).rglob("*.py")):
            for name in _called(ast.parse(path.read_text(encoding="utf-8"))):
                found[name].append(str(path.relative_to(PROJECT)))
    return found


def _called(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if name in USE_CASES:
                yield name


def test_each_use_case_is_constructed_once_by_a_function_s_composition() -> None:
    found = constructed()
    assert found.keys() == USE_CASES
    for name, places in found.items():
        assert all(place.endswith("/composition.py") for place in places), (name, places)
        assert len(places) == SHARED.get(name, 1), (name, places)


@pytest.mark.parametrize("function", ["api", "authorizer", *COMPOSITIONS])
def test_a_function_is_what_its_composition_builds(function: str) -> None:
    tree = ast.parse((PROJECT / "functions" / function / "app.py").read_text(encoding="utf-8"))
    (built,) = [
        each for each in tree.body if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "handler"
    ]
    assert isinstance(built.value, ast.Call)
    assert ast.unparse(built.value.func) == "build"
    assert not [each for each in tree.body if isinstance(each, ast.FunctionDef | ast.ClassDef)]
