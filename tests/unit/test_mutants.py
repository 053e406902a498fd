"""Both lists of mutants fit the code as it is: one that no longer does would say nothing."""

import pytest

from scripts.mutants import PROJECT, listed


@pytest.mark.parametrize("name", ["simulate_mutants.toml", "guard_mutants.toml"])
def test_every_mutants_text_stands_once_and_its_tests_exist(name: str) -> None:
    unfit: list[str] = []
    for each in listed(PROJECT / "scripts" / name):
        what = each.get("fault") or each["guard"]
        if (PROJECT / each["file"]).read_text(encoding="utf-8").count(each["old"]) != 1 or each["old"] == each["new"]:
            unfit.append(f"{what}: its text")
        for test in [*each.get("tests", []), *([each["test"]] if "test" in each else [])]:
            path, _, function = test.partition("::")
            defined = f"def {function.partition('[')[0]}("
            if not (PROJECT / path).exists() or (function and defined not in (PROJECT / path).read_text("utf-8")):
                unfit.append(f"{what}: {test}")
    assert unfit == []
