"""Filters by a plain reading of the rules: no compiling, no index, no sharing. `make filters` compares 100,000."""

import os
import random
from datetime import UTC, datetime
from typing import Any, get_args

from tests.conftest import Figure
from webhooks.errors import InvalidFilter
from webhooks.matching.compiled_routes import Route, RouteSubscription, compile_routes
from webhooks.matching.filter_document import ListOperator, Operator, parse_filters
from webhooks.matching.filters import compile_filters, explain

CASES = int(os.environ.get("FILTER_CASES", "3000"))
TOGETHER = 10  # filters of one index
OPERATORS = {*get_args(Operator), *get_args(ListOperator)}

ABSENT: Any = object()
OWN = ("id", "type", "resource_id", "workspace_id", "user_id", "timestamp")


# ---- the interpreter


def holds(document: dict[str, Any], event: dict[str, Any]) -> bool:
    """Whether filters want an event."""
    parts = [same(find(event, name), value) for name, value in (document.get("fields") or {}).items()]
    if document.get("conditions"):
        parts.append(node_holds(document["conditions"], event, in_list=False))
    if document.get("user_id"):
        user = event.get("user_id")
        is_id = isinstance(user, (int, str)) and not isinstance(user, bool)
        parts.append(is_id and str(user) in [str(each) for each in document["user_id"]])
    if document.get("time_range"):
        at = moment(event.get("timestamp"), dates=False)
        bounds = {end: MOMENTS[text] for end, text in document["time_range"].items()}
        parts.append(at is not None and bounds.get("start", at) <= at <= bounds.get("end", at))
    return all(parts)


def node_holds(node: dict[str, Any], at: Any, *, in_list: bool) -> bool:
    if "rules" in node:
        each = [node_holds(rule, at, in_list=in_list) for rule in node["rules"]]
        return {"and": all(each), "or": any(each), "not": not any(each)}[node["operator"]]
    found = find_in_element(at, node["field"]) if in_list else find(at, node["field"])
    operator = node["operator"]
    if "where" in node:
        if not isinstance(found, list):
            return operator == "none"
        each = [node_holds(node["where"], element, in_list=True) for element in found]
        return {"any": any(each), "all": all(each), "none": not any(each)}[operator]
    if operator.startswith("changed"):
        return changed(at, node)
    return compare(operator, found, node.get("value"), folds=node.get("ignore_case", False))


def compare(operator: str, found: Any, value: Any, *, folds: bool) -> bool:
    if operator.startswith("not_"):
        return not compare(operator.removeprefix("not_"), found, value, folds=folds)
    if folds:
        found, value = folded(found), folded(value)
    if operator == "exists":
        return found is not ABSENT
    if operator == "blank":
        return found is ABSENT or found is None or found == "" or found == []
    if operator == "equals":
        return same(found, value)
    if operator == "in":
        return any(same(found, each) for each in value)
    if operator == "contains":
        if isinstance(found, str):
            return isinstance(value, str) and value in found
        return isinstance(found, list) and any(same(each, value) for each in found)
    if operator in ("starts_with", "ends_with"):
        return isinstance(found, str) and (found.startswith if operator == "starts_with" else found.endswith)(value)
    if operator.startswith(("before", "after")):
        left, right = moment(found), moment(value)
        comparable = left is not None
        operator = operator.replace("before", "less_than").replace("after", "greater_than")
    else:
        left, right = found, value
        comparable = (isinstance(left, str) and isinstance(right, str)) or (number(left) and number(right))
    if not comparable:
        return False
    a: Any
    b: Any
    a, b = (left, right) if operator.startswith("less_than") else (right, left)
    return a < b or (operator.endswith("_or_equal") and a == b)


def changed(event: dict[str, Any], rule: dict[str, Any]) -> bool:
    data = event.get("data")
    if not isinstance(data, dict):
        return False
    now, before = find(event, rule["field"]), ABSENT
    for path in (rule["field"], plain_name(rule["field"])):
        if before is ABSENT:
            before = find({"data": data.get("previous")}, path)
    if isinstance(data.get("changed_fields"), list):
        names = [plain_name(name) for name in data["changed_fields"] if isinstance(name, str)]
        name = plain_name(rule["field"])
        it_has = any(name == each or name.startswith(each + ".") for each in names)
    else:
        it_has = before is not ABSENT and not deeply_same(before, now)
    if rule["operator"] == "changed":
        return it_has
    return it_has and same(before if rule["operator"] == "changed_from" else now, rule["value"])


def plain_name(path: str) -> str:
    for start in ("data.", "fields."):
        path = path.removeprefix(start)
    steps = quoted_steps(path)
    return steps[0][0] if steps and len(steps) == 1 else path


def find(event: dict[str, Any], path: str) -> Any:
    data: Any = event.get("data") if isinstance(event.get("data"), dict) else {}
    fields: Any = data.get("fields") if isinstance(data.get("fields"), dict) else {}
    head = path.split(".")[0]
    if "." in path and head in (*OWN, "data", "metadata"):
        found = first_found(along(event, path))
    else:
        found = first_found(along(fields, path), along(data, path))
        if found is ABSENT and path in OWN:
            return event.get(path, ABSENT)
    steps = quoted_steps(path)
    if found is not ABSENT or steps is None:
        return found
    if len(steps) > 1 and steps[0] in [(name, False) for name in (*OWN, "data", "metadata")]:
        return stepwise(event, steps)
    return first_found(stepwise(fields, steps), stepwise(data, steps))


def find_in_element(element: Any, path: str) -> Any:
    if path == ".":
        return element
    steps = quoted_steps(path)
    return first_found(along(element, path), ABSENT if steps is None else stepwise(element, steps))


def first_found(*found: Any) -> Any:
    return next((each for each in found if each is not ABSENT), ABSENT)


def along(at: Any, path: str) -> Any:
    """All of the rest as one key comes first; else a step."""
    if isinstance(at, dict) and path in at:
        return at[path]
    head, _, rest = path.partition(".")
    below = step(at, head, quoted=False)
    return below if "." not in path else along(below, rest)


def step(at: Any, name: str, *, quoted: bool) -> Any:
    if isinstance(at, dict):
        return at.get(name, ABSENT)
    if isinstance(at, list) and not quoted and name.removeprefix("-").isdecimal():
        return at[int(name)] if -len(at) <= int(name) < len(at) else ABSENT
    return ABSENT


def stepwise(at: Any, steps: list[tuple[str, bool]]) -> Any:
    for name, quoted in steps:
        at = step(at, name, quoted=quoted)
    return at


def quoted_steps(path: str) -> list[tuple[str, bool]] | None:
    """Character by character: steps between dots, some of them in quotes. None where none is, or it is none."""
    steps: list[tuple[str, bool]] = []
    rest = path
    while True:
        if rest.startswith('"'):
            end = rest.find('"', 1)
            if end < 0:
                return None
            steps.append((rest[1:end], True))
            rest = rest[end + 1 :]
        else:
            name = rest.split(".")[0]
            if not name or '"' in name:
                return None
            steps.append((name, False))
            rest = rest[len(name) :]
        if not rest:
            return steps if any(quoted for _, quoted in steps) else None
        if not rest.startswith("."):
            return None
        rest = rest[1:]


def number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def same(found: Any, value: Any) -> bool:
    if number(found) and number(value):
        return found == value
    return type(found) is type(value) and isinstance(found, (str, bool, type(None))) and found == value


def deeply_same(left: Any, right: Any) -> bool:
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(deeply_same(*pair) for pair in zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(deeply_same(left[name], right[name]) for name in left)
    return same(left, right)


def folded(value: Any) -> Any:
    if isinstance(value, list):
        return [folded(each) if isinstance(each, str) else each for each in value]
    return value.casefold() if isinstance(value, str) else value


def moment(value: Any, *, dates: bool = True) -> datetime | None:
    """Of the texts that are generated, these are times with an offset, or dates."""
    return MOMENTS.get(value) if isinstance(value, str) and (dates or len(value) > 10) else None


# ---- what is compared

SCALARS = [None, True, False, 0, 1, 1.0, -1, 2.5, 10**20, "", "a", "A", "ab", "aB", "ß", "SS", "1", "b"]
MOMENTS = {
    "2024-05-05": datetime(2024, 5, 5, tzinfo=UTC),
    "2024-05-05T00:00:00Z": datetime(2024, 5, 5, tzinfo=UTC),
    "2024-05-05T02:00:00+02:00": datetime(2024, 5, 5, tzinfo=UTC),
    "2024-05-04T23:59:59-01:00": datetime(2024, 5, 5, 0, 59, 59, tzinfo=UTC),
    "2024-05-05 02:00:00+02:00": datetime(2024, 5, 5, tzinfo=UTC),
    "2024-05-06": datetime(2024, 5, 6, tzinfo=UTC),
}
TIMES = list(MOMENTS)
NO_TIMES = ["2024-05-05T00:00:00", "20x"]
NAMES = ["a", "b", "c", "a.b", "type", "user_id", "id", "data.x"]
PATHS = [
    *NAMES,
    *("timestamp", "workspace_id", "resource_id", "source", "."),
    *("data.a", "data.fields.a", "fields.b", "metadata.a", "data.previous.a", "data.x.a", "a.b.c", "c.a.b", "a."),
    *("a.0", "a.-1", "b.1.a"),
    *('"a"', '"a.b"', '"type"', '"data.x"', 'data."a.b"', 'data.fields."type"', 'a."0"', 'c."a.b"', '"a".b', '"a'),
]


class Chance(random.Random):
    def scalar(self) -> Any:
        return self.choice((*SCALARS, *TIMES, *NO_TIMES))

    def value(self, depth: int = 0) -> Any:
        kind = self.random()
        if depth > 3 or kind < 0.5:
            return self.scalar()
        if kind < 0.75:
            return [self.value(depth + 1) for _ in range(self.randrange(4))]
        return {self.choice(NAMES): self.value(depth + 1) for _ in range(self.randrange(4))}

    def fields(self) -> dict[str, Any]:
        return {self.choice(NAMES): self.value() for _ in range(self.randrange(5))}

    def event(self) -> dict[str, Any]:
        made: dict[str, Any] = {
            "id": "evt_1",
            "type": "record.updated",
            "resource_id": self.choice((None, "a", "1")),
            "workspace_id": self.choice((None, 1)),
            "user_id": self.choice((1, 2, "1", "a", None)),
            "timestamp": self.choice((*TIMES, None)),
            "metadata": self.fields(),
        }
        fields = self.fields()
        data: Any = {**self.fields(), **({"fields": fields} if self.random() < 0.8 else {})}
        if self.random() < 0.5:
            before = {
                name: value if self.random() < 0.4 else self.value() for name, value in fields.items()
            } | self.fields()
            data["previous"] = self.choice((before, {"fields": before}, before, 5))
        if self.random() < 0.2:
            data["changed_fields"] = self.choice(([self.choice(PATHS) for _ in range(3)], "a", [5, None]))
        return {**made, "data": data if self.random() < 0.97 else self.value()}

    def rule(self, *, in_list: bool) -> dict[str, Any]:
        operator = self.choice(get_args(Operator))
        made: dict[str, Any] = {"field": self.choice((*PATHS, ".", ".") if in_list else PATHS), "operator": operator}
        if operator.endswith("in"):
            made["value"] = [self.scalar() for _ in range(self.choice((1, 2, 3, 20)))]
        elif operator.endswith("_with"):
            made["value"] = self.choice(("", "a", "A", "ab", "S", "2024"))
        elif operator.startswith(("before", "after")):
            made["value"] = self.choice(TIMES)
        elif "_than" in operator:
            made["value"] = self.choice((0, 1, 1.5, "", "a", "2024-05-05"))
        elif not operator.endswith(("exists", "blank", "changed")):
            made["value"] = self.scalar()
        if operator.endswith(("equals", "in", "contains", "_with")) and self.random() < 0.3:
            made["ignore_case"] = True
        return made

    def node(self, depth: int, *, in_list: bool = False) -> dict[str, Any]:
        kind = self.random()
        if depth and kind < 0.25:
            return self.group(depth - 1, in_list=in_list)
        if depth and kind < 0.45:
            where = self.node(depth - 1, in_list=True)
            return {"field": self.choice(PATHS), "operator": self.choice(get_args(ListOperator)), "where": where}
        return self.rule(in_list=in_list)

    def group(self, depth: int, *, in_list: bool = False) -> dict[str, Any]:
        rules = [self.node(depth, in_list=in_list) for _ in range(self.randrange(1, 4))]
        return {"operator": self.choice(("and", "and", "or", "not")), "rules": rules}

    def document(self) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if self.random() < 0.9:
            made["conditions"] = self.group(self.randrange(3))
        if self.random() < 0.2:
            made["fields"] = {self.choice(PATHS): self.scalar() for _ in range(self.randrange(1, 3))}
        if self.random() < 0.1:
            made["user_id"] = [self.choice((1, "1", "a", 3)) for _ in range(self.randrange(1, 3))]
        if self.random() < 0.1:
            made["time_range"] = {self.choice(("start", "end")): self.choice(TIMES[1:4])}
        return made


def test_explanation_and_index_say_what_a_plain_reading_of_the_rules_says(figure: Figure) -> None:
    chance = Chance(int(os.environ.get("SEED", "16")))
    compared = wanted = refused = 0
    seen: set[str] = set()
    while compared < CASES:
        documents: list[dict[str, Any]] = []
        while len(documents) < TOGETHER:
            document = chance.document()
            try:
                parse_filters(document)
            except InvalidFilter:  # more searches than may be, or what changed in a list
                refused += 1
            else:
                documents.append(document)
        routes = compile_routes(
            Route(f"{number}", "active", (RouteSubscription("s", "*", None, document),))
            for number, document in enumerate(documents)
        )
        for _ in range(3):
            event = chance.event()
            found = set(routes.match(event).queued)
            for number, document in enumerate(documents):
                expected = holds(document, event)
                filters = parse_filters(document)
                said = compile_filters(filters)(event), explain(filters, event) is None, str(number) in found
                assert said == (expected,) * 3, f"\nfilters: {document}\nevent: {event}\nexpected: {expected}"
                compared += 1
                wanted += expected
                if expected:
                    seen |= {
                        word for word in (*get_args(Operator), *get_args(ListOperator)) if f"'{word}'" in str(document)
                    }
    assert seen >= {*get_args(Operator), *get_args(ListOperator)}, "every operator stands in a filter that holds"
    figure(f"filters: {compared:,} cases, {wanted:,} of them wanted, 0 disagreements of index, answer and explanation")
