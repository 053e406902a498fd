"""What import-linter cannot see of the import rules: functions are no package, each folder is a root of its own."""

import ast
from pathlib import Path

import pytest

FUNCTIONS = sorted(path for path in (Path(__file__).parents[2] / "functions").iterdir() if path.is_dir())


def modules(function: Path) -> set[str]:
    """The names by which a function's own modules can be imported."""
    return {path.stem for path in function.glob("*.py")} | {path.parent.name for path in function.glob("*/__init__.py")}


def imported(source: Path) -> set[str]:
    """The top-level names that a file imports."""
    nodes = list(ast.walk(ast.parse(source.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.split(".")[0] for name in plain | named}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda path: path.name)
def test_a_function_imports_nothing_of_another_function(function: Path) -> None:
    others = {name for other in FUNCTIONS if other != function for name in modules(other)} | {"functions", "localstack"}
    for source in function.rglob("*.py"):
        assert not imported(source) & (others - modules(function)), source


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda path: path.name)
def test_a_functions_modules_do_not_hide_a_package(function: Path) -> None:
    """Its folder comes before installed packages on the path."""
    assert not modules(function) & {
        "boto3",
        "botocore",
        "httpx",
        "json",
        "jwt",
        "logging",
        "queue",
        "secrets",
        "webhooks",
    }
