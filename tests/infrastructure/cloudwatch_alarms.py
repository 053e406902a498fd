"""CloudWatch's evaluation of the template's alarms over figures by the minute, as the Amazon CloudWatch User Guide has
it ("Alarm evaluation", "Using math expressions with CloudWatch metrics"). Only what our alarms use."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tests.infrastructure.template_document import Template, dimensions_of

# "namespace metric resource" -> what was measured in each minute; None where nothing was
Figures = Mapping[str, Sequence[float | None]]
COMBINED = {
    "Sum": sum,
    "Maximum": max,
    "Minimum": min,
    "p95": max,  # of minutes, whose own percentiles are given
}
COMPARED = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
}


def gone_off(template: Template, figures: Figures) -> set[str]:
    """The names of the alarms that went off in any minute and tell somebody."""
    alone = {
        name: [_is_off(alarm, figures, minute) for minute in range(1, _minutes(figures) + 1)]
        for name, alarm in template.of_type("AWS::CloudWatch::Alarm").items()
    }
    found = {name for name, off in alone.items() if any(off) and "AlarmActions" in template.properties(name)}
    for name, alarm in template.of_type("AWS::CloudWatch::CompositeAlarm").items():
        parts = re.findall(r'ALARM\("\$\{(\w+)\}"\)', alarm["AlarmRule"]["Fn::Sub"])
        assert len(parts) == alarm["AlarmRule"]["Fn::Sub"].count("AND") + 1
        if any(map(all, zip(*(alone[part] for part in parts), strict=True))):
            found.add(name)
    return {name.removesuffix("Alarm") for name in found}


def _minutes(figures: Figures) -> int:
    return max(map(len, figures.values()))


def _is_off(alarm: Mapping[str, Any], figures: Figures, minute: int) -> bool:
    """Whether the last EvaluationPeriods before the minute's end are all beyond the threshold."""
    metrics = [each["MetricStat"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
    period = (metrics[0]["Period"] if metrics else alarm["Period"]) // 60
    values: list[float | None] = []
    for n in range(alarm["EvaluationPeriods"]):
        end = minute - n * period
        if end < period:
            return False  # before the beginning there was nothing to know
        values.append(_value(alarm, figures, end - period, end))
    beyond = COMPARED[alarm["ComparisonOperator"]]
    missing = alarm["TreatMissingData"] == "breaching"
    return all(missing if value is None else beyond(value, alarm["Threshold"]) for value in values)


def _value(alarm: Mapping[str, Any], figures: Figures, begin: int, end: int) -> float | None:
    if "Metrics" not in alarm:
        return _statistic(alarm, alarm["Statistic"], figures, begin, end)
    names: dict[str, Any] = {}
    for each in alarm["Metrics"]:
        if "MetricStat" in each:
            stat = each["MetricStat"]
            names[each["Id"]] = _statistic(stat["Metric"], stat["Stat"], figures, begin, end)
            before = _statistic(stat["Metric"], stat["Stat"], figures, begin - (end - begin), begin)
            names[f"before_{each['Id']}"] = before
    (expression,) = (each["Expression"] for each in alarm["Metrics"] if "Expression" in each)
    return _expression(expression, names)


def _statistic(metric: Mapping[str, Any], statistic: str, figures: Figures, begin: int, end: int) -> float | None:
    of = " ".join(dimensions_of(metric["Dimensions"]).values())
    measured = figures.get(f"{metric['Namespace']} {metric['MetricName']} {of}", ())
    values = [value for value in measured[max(0, begin) : max(0, end)] if value is not None]
    return COMBINED[statistic](values) if values else None


class _Number(float):
    """A division by zero is no number, which is beyond nothing."""

    def __truediv__(self, other: float) -> float:
        return float("nan") if other == 0 else float(self) / other


def _expression(text: str, names: dict[str, Any]) -> float | None:
    """An expression over missing figures is missing, unless FILL says otherwise."""
    code = re.sub(r"DIFF\((\w+)\)", r"DIFF(before_\1, \1)", text).replace(" AND ", " and ")
    scope = {
        "FILL": lambda value, other: _Number(other if value is None else value),
        "DIFF": lambda before, now: None if before is None or now is None else now - before,
        "IF": lambda condition, then, other: then if condition else other,
    }
    try:
        return eval(code, {"__builtins__": {}}, scope | names)  # noqa: S307 - our own template's
    except TypeError:  # None in it
        return None
