"""monitoring/alarms.yml as CloudWatch's alarms in template.yaml and as Prometheus' rules: write them, or tell whether
they are up to date."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[1]
LIST = PROJECT / "monitoring" / "alarms.yml"
RULES = PROJECT / "monitoring" / "prometheus" / "alerts.yml"
TEMPLATE = PROJECT / "template.yaml"
BEGIN = "  # Made from monitoring/alarms.yml by `make alarm-rules`; all wait for AlarmTopicArn.\n"
END = "  # The end of what `make alarm-rules` makes.\n"
TOPICS = {"page": "!Ref AlarmTopicArn", "ticket": "!If [HasTicketTopic, !Ref TicketTopicArn, !Ref AlarmTopicArn]"}

Node = dict[str, Any]


def main() -> int:
    """Write both, or compare them with `--check`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a file is not up to date")
    document = yaml.safe_load(LIST.read_text())
    template = TEMPLATE.read_text()
    before, rest = template.split(BEGIN)
    _, after = rest.split(END)
    made = {
        TEMPLATE: before + BEGIN + cloudwatch(document) + END + after,
        RULES: prometheus(document),
    }
    stale = [path for path, text in made.items() if path.read_text() != text]
    if parser.parse_args().check:
        for path in stale:
            print(f"{path.relative_to(PROJECT)} is not what monitoring/alarms.yml says: run `make alarm-rules`.")
        return 1 if stale else 0
    for path in stale:
        path.write_text(made[path])
    return 0


# -- CloudWatch


def cloudwatch(document: Node) -> str:
    """The template's resources."""
    parts: list[str] = []
    for alarm in document["alarms"]:
        burn = alarm.get("burn")
        if burn:
            parts += _burning(document, alarm)
        elif "cloudwatch" in alarm:
            parts.append(_alarm(document, alarm, alarm["name"], alarm["cloudwatch"], actions=True))
    return "\n".join(parts) + "\n"


def _burning(document: Node, alarm: Node) -> list[str]:
    """Two alarms that tell nobody, and one that does when both are off."""
    burn, name = alarm["burn"], alarm["name"]
    metrics = document["objectives"][burn["objective"]]["cloudwatch"]
    total = "FILL(all, 0)" if "all" in metrics else "(FILL(bad, 0) + FILL(good, 0))"
    parts: list[str] = []
    for window, floor in (("long", burn["floor"]), ("short", 1)):
        rate = f"IF(FILL(bad, 0) >= {floor} AND {total} > 0, FILL(bad, 0) / {total}, 0)"
        own = {"period": burn[window], "metrics": metrics, "expression": rate}
        parts.append(
            _alarm(
                document,
                alarm | {"threshold": burn["threshold"], "minutes": burn[window] // 60},
                f"{name}{window.capitalize()}",
                own,
                actions=False,
            )
        )
    parts.append(
        f"  {name}Alarm:\n"
        "    Type: AWS::CloudWatch::CompositeAlarm\n"
        "    Condition: HasAlarms\n"
        "    Properties:\n"
        f"      AlarmDescription: {_description(document, alarm)}\n"
        f'      AlarmRule: !Sub ALARM("${{{name}LongAlarm}}") AND ALARM("${{{name}ShortAlarm}}")\n' + _actions(alarm)
    )
    return parts


def _alarm(document: Node, alarm: Node, name: str, rule: Node, *, actions: bool) -> str:
    metrics, period = rule["metrics"], rule["period"]
    lines = [
        f"  {name}Alarm:",
        "    Type: AWS::CloudWatch::Alarm",
        f"    Condition: {alarm.get('condition', 'HasAlarms')}",
        "    Properties:",
        f"      AlarmDescription: {_description(document, alarm)}",
    ]
    if "expression" in rule:
        lines.append("      Metrics:")
        for key, text in metrics.items():
            lines += _stat(key, text, period, " " * 8)
        expression = json.dumps(rule["expression"])
        if more := rule.get("more"):
            for key, text in more["metrics"].items():
                lines += ["        - !If", f"          - {more['where']}"]
                lines += [*_stat(key, text, period, " " * 10), "          - !Ref AWS::NoValue"]
            both = json.dumps(f"{rule['expression']} {more['expression']}")
            expression = f"!If [{more['where']}, {both}, {expression}]"
        lines += ["        - Id: result", f"          Expression: {expression}", f"          Label: {name}"]
    else:
        namespace, metric, dimensions, statistic = _metric(next(iter(metrics.values())))
        lines += [
            f"      Namespace: {namespace}",
            f"      MetricName: {metric}",
            f"      Dimensions: {dimensions}",
            f"      Statistic: {statistic}",
            f"      Period: {period}",
        ]
    lines += [
        f"      EvaluationPeriods: {max(1, alarm['minutes'] * 60 // period)}",
        f"      ComparisonOperator: {'LessThanThreshold' if alarm.get('below') else 'GreaterThanThreshold'}",
        f"      Threshold: {alarm['threshold'] * alarm.get('unit', 1)}",
        f"      TreatMissingData: {rule.get('missing', 'notBreaching')}",
    ]
    return "\n".join(lines) + "\n" + (_actions(alarm) if actions else "")


def _stat(key: str, text: str, period: int, margin: str) -> list[str]:
    """An entry of a list that begins at `margin`."""
    namespace, metric, dimensions, statistic = _metric(text)
    return [
        f"{margin}- Id: {key}",
        f"{margin}  ReturnData: false",
        f"{margin}  MetricStat:",
        f"{margin}    Metric: {{ Namespace: {namespace}, MetricName: {metric}, Dimensions: {dimensions} }}",
        f"{margin}    Period: {period}",
        f"{margin}    Stat: {statistic}",
    ]


def _actions(alarm: Node) -> str:
    topic = TOPICS[alarm["urgency"]]
    return f"      AlarmActions: [{topic}]\n      OKActions: [{topic}]\n"


def _description(document: Node, alarm: Node) -> str:
    return f'"{alarm["summary"]} ({alarm["urgency"]}; {runbook(document, alarm)})"'


def _metric(text: str) -> tuple[str, str, str, str]:
    namespace, metric, resource, statistic = (part.strip() for part in text.split(","))
    resource, _, index = resource.partition("/")
    dimensions = {
        "AWS/SQS": {"QueueName": f"!GetAtt {resource}.QueueName"},
        "AWS/Lambda": {"FunctionName": f"!Ref {resource}"},
        "AWS/DynamoDB": {"TableName": f"!If [MakesTable, !Ref {resource}, !Ref ExistingTable]"}
        | ({"GlobalSecondaryIndexName": index} if index else {}),
        "AWS/ApiGateway": {"ApiName": "!Ref AWS::StackName", "Stage": "!Ref Stage"},
        "PyAirtableWebhooks": {"function": f"!Ref {resource}"},
    }[namespace]
    listed = ", ".join(f"{{ Name: {name}, Value: {value} }}" for name, value in dimensions.items())
    return namespace, metric, f"[{listed}]", statistic


# -- Prometheus


def prometheus(document: Node) -> str:
    """The rules' file."""
    recorded = dict(document["recorded"])
    for alarm in document["alarms"]:
        if burn := alarm.get("burn"):
            for seconds in (burn["long"], burn["short"]):
                window = _window(seconds)
                objective = document["objectives"][burn["objective"]]
                ratio = f"{objective['bad']} / {objective['all']}".replace("{window}", window)
                recorded[f"webhooks:{burn['objective']}:ratio{window}"] = ratio
    groups = [
        {"name": "webhooks-recorded", "rules": [{"record": name, "expr": expr} for name, expr in recorded.items()]},
        {"name": "webhooks", "rules": [r for alarm in document["alarms"] if (r := _rule(document, alarm)) is not None]},
    ]
    head = "# Made from monitoring/alarms.yml by `make alarm-rules`.\n"
    return head + yaml.safe_dump({"groups": groups}, sort_keys=False, width=120)


def _rule(document: Node, alarm: Node) -> Node | None:
    if burn := alarm.get("burn"):
        name, most = f"webhooks:{burn['objective']}:ratio", burn["threshold"]
        long, short = _window(burn["long"]), _window(burn["short"])
        bad = document["objectives"][burn["objective"]]["bad"].replace("{window}", long)
        expr = f"{name}{long} > {most} and {name}{short} > {most} and {bad} >= {burn['floor']}"
        minutes = 0
    elif "prometheus" in alarm:
        expr = alarm["prometheus"].replace("{threshold}", str(alarm["threshold"]))
        minutes = alarm["minutes"]
    else:
        return None
    return {
        "alert": alarm["name"],
        "expr": expr,
        "for": f"{minutes}m",
        "labels": {"severity": alarm["urgency"]},
        "annotations": {
            "summary": alarm["summary"],
            "description": 'It is {{ printf "%.4g" $value }}{{ with $labels.queue }} ({{ . }}){{ end }}.',
            "runbook_url": runbook(document, alarm),
        },
    }


def _window(seconds: int) -> str:
    return f"{seconds // 3600}h" if seconds % 3600 == 0 else f"{seconds // 60}m"


def runbook(document: Node, alarm: Node) -> str:
    """Where an alarm's section is."""
    return f"{document['runbook']}#{alarm['name'].lower()}"


if __name__ == "__main__":
    sys.exit(main())
