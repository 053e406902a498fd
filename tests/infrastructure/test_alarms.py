"""Each alarm of monitoring/alarms.yml goes off by what it is for, in CloudWatch and in Prometheus, and no page by what
customers do. `make alarms` runs this file."""

import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import alarm_rules
from tests.conftest import Figure
from tests.fakes.owners import url_of
from tests.fakes.world import World, events
from tests.infrastructure.cloudwatch_alarms import gone_off
from tests.infrastructure.template_document import PROJECT, Template

DOCUMENT: dict[str, Any] = yaml.safe_load(alarm_rules.LIST.read_text())
ALARMS: dict[str, dict[str, Any]] = {alarm["name"]: alarm for alarm in DOCUMENT["alarms"]}
PAGES = {name for name, alarm in ALARMS.items() if alarm["urgency"] == "page"}
RULES = [rule for group in yaml.safe_load(alarm_rules.RULES.read_text())["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}

SQS, LAMBDA, OURS, DYNAMODB = "AWS/SQS", "AWS/Lambda", "PyAirtableWebhooks", "AWS/DynamoDB"
DEPTH, AGE = "ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"
API = "AWS::StackName Stage"
HOUR = 60


def steady(value: float, minutes: int = HOUR) -> list[float]:
    return [value] * minutes


# What each is for, as CloudWatch measures it by the minute. Releases run all the time.
GOES_OFF: Mapping[str, Mapping[str, Sequence[float | None]]] = {
    "OldestEvent": {f"{SQS} {AGE} IngestQueue": steady(61)},
    "OldestDelivery": {f"{SQS} {AGE} DeliveryQueue": steady(601)},
    "OldestStaticDelivery": {f"{SQS} {AGE} StaticDeliveryQueue": steady(601)},
    "DeadLettersStuck": {f"{SQS} {AGE} DeadLetterQueue": steady(601)},
    "JobsStuck": {f"{SQS} {AGE} JobsQueue": steady(1801)},
    "QueueGrows": {f"{SQS} {DEPTH} DeliveryQueue": [1000 + 10 * minute for minute in range(HOUR)]},
    "IngestDeadLetter": {f"{SQS} {DEPTH} IngestDeadLetterQueue": steady(1)},
    "JobsDeadLetter": {f"{SQS} {DEPTH} JobsDeadLetterQueue": steady(1)},
    "RuleTargetDeadLetter": {f"{SQS} {DEPTH} RuleTargetDeadLetterQueue": steady(1)},
    "StreamFailures": {f"{SQS} {DEPTH} StreamFailuresQueue": steady(1)},
    "ApiErrors": {f"{LAMBDA} Errors ApiFunction": steady(1)},
    "AuthorizerErrors": {f"{LAMBDA} Errors AuthorizerFunction": steady(21)},
    "IngestErrors": {f"{LAMBDA} Errors IngestFunction": steady(1)},
    "SenderErrors": {f"{LAMBDA} Errors SenderFunction": steady(1)},
    "StaticSenderErrors": {f"{LAMBDA} Errors StaticSenderFunction": steady(1)},
    "ReplayErrors": {f"{LAMBDA} Errors ReplayFunction": steady(1)},
    "ReleaseErrors": {f"{LAMBDA} Errors ReleaseFunction": steady(1)},
    "RollupErrors": {f"{LAMBDA} Errors RollupFunction": steady(1)},
    "ReleaseMissing": {f"{LAMBDA} Invocations ReleaseFunction": [1, 1, *[None] * 20]},
    "StatisticsBehind": {f"{OURS} rollup_lag_ms ReleaseFunction": [None, 60_000, 120_000]},
    "StreamBehind": {f"{LAMBDA} IteratorAge RollupFunction": steady(600_001)},
    "FunctionThrottles": {f"{LAMBDA} Throttles AuthorizerFunction": steady(1)},
    "TableThrottles": {f"{DYNAMODB} WriteThrottleEvents Table waiting": steady(1)},
    "StaleKeys": {f"{OURS} stale_keys AuthorizerFunction": steady(1)},
    "MessagesReturned": {f"{OURS} returned SenderFunction": steady(3)},
    "Unreadable": {f"{OURS} unreadable RollupFunction": [0, 0, 1, 0, 0, 0]},
    "AttemptsFail": {
        f"{OURS} failed_attempts SenderFunction": steady(6),
        f"{OURS} delivered SenderFunction": steady(5),
    },
    "OpenCircuits": {f"{OURS} open_circuits ReleaseFunction": steady(11)},
    "WaitingDeliveries": {f"{OURS} waiting_deliveries ReleaseFunction": steady(10_001)},
    "ReleaseOutOfTime": {f"{OURS} out_of_time ReleaseFunction": steady(1)},
    "SendersCutOff": {f"{OURS} unknown SenderFunction": steady(7)},
    "DeliveriesLostFast": {
        f"{OURS} lost ReplayFunction": steady(2, 2 * HOUR),
        f"{OURS} delivered SenderFunction": steady(100, 2 * HOUR),
    },
    "DeliveriesLostSlowly": {
        f"{OURS} lost ReplayFunction": steady(0.7, 7 * HOUR),
        f"{OURS} delivered SenderFunction": steady(100, 7 * HOUR),
    },
    "ApiUnavailableFast": {
        f"AWS/ApiGateway 5XXError {API}": steady(2, 2 * HOUR),
        f"AWS/ApiGateway Count {API}": steady(100, 2 * HOUR),
    },
    "ApiUnavailableSlowly": {
        f"AWS/ApiGateway 5XXError {API}": steady(0.7, 7 * HOUR),
        f"AWS/ApiGateway Count {API}": steady(100, 7 * HOUR),
    },
    "ApiSlow": {f"AWS/ApiGateway Latency {API}": steady(2001), f"AWS/ApiGateway Count {API}": steady(20)},
}


# Where an alarm watches several of a kind, each is enough.
ALSO_BY: Sequence[tuple[str, str, Sequence[float]]] = [
    *(
        ("FunctionThrottles", f"{LAMBDA} Throttles {name}Function", steady(1))
        for name in ("Api", "Authorizer", "Ingest", "Sender", "StaticSender", "Replay", "Release", "Rollup")
    ),
    *(
        ("QueueGrows", f"{SQS} {DEPTH} {name}Queue", [1000 + 10 * minute for minute in range(HOUR)])
        for name in ("Ingest", "Delivery", "StaticDelivery", "DeadLetter")
    ),
]


def _all_is_well(figures: Mapping[str, Sequence[float | None]]) -> dict[str, Sequence[float | None]]:
    longest = max(map(len, figures.values()), default=HOUR)
    return {f"{LAMBDA} Invocations ReleaseFunction": steady(1, longest), **figures}


@pytest.mark.parametrize("name", [name for name, alarm in ALARMS.items() if "cloudwatch" in alarm or "burn" in alarm])
def test_an_alarm_of_cloudwatch_goes_off_by_what_it_is_for(template: Template, name: str) -> None:
    off = gone_off(template, _all_is_well(GOES_OFF[name]))
    also = {name.replace("Fast", "Slowly")}  # what spends a budget fast spends it
    assert name in off
    assert off <= {name} | also


@pytest.mark.parametrize(("name", "metric", "values"), ALSO_BY)
def test_each_of_those_that_an_alarm_watches_sets_it_off(
    template: Template, name: str, metric: str, values: Sequence[float]
) -> None:
    assert gone_off(template, _all_is_well({metric: values})) == {name}


@pytest.mark.parametrize("name", [name for name, alarm in ALARMS.items() if "burn" in alarm])
def test_a_burn_rate_is_over_soon_after_its_cause(template: Template, name: str) -> None:
    """The long window alone would be in alarm for an hour more, or for six."""
    burn = ALARMS[name]["burn"]
    short, long = (template.properties(f"{name}{window}Alarm") for window in ("Short", "Long"))
    for alarm, window in ((short, "short"), (long, "long")):
        periods = {each["MetricStat"]["Period"] for each in alarm["Metrics"] if "MetricStat" in each}
        assert periods == {burn[window]}
        assert "AlarmActions" not in alarm


def test_a_few_failures_on_a_quiet_night_are_no_rate(template: Template) -> None:
    night = {
        f"{OURS} lost ReplayFunction": [*steady(0, 90), 1, *steady(0, 6 * HOUR)],
        f"{OURS} delivered SenderFunction": steady(0.1, 7 * HOUR),
        f"AWS/ApiGateway 5XXError {API}": [*steady(0, 90), 1, *steady(0, 30), 1, *steady(0, 5 * HOUR)],
        f"AWS/ApiGateway Count {API}": steady(0.2, 7 * HOUR),
    }
    assert gone_off(template, _all_is_well(night)) == set()


def test_a_quiet_night_is_quiet(template: Template) -> None:
    assert gone_off(template, _all_is_well({})) == set()


def test_what_the_two_kinds_of_alarms_are_made_of_is_the_list() -> None:
    assert subprocess.run(["make", "alarm-check"], cwd=PROJECT, capture_output=True, check=False).returncode == 0


# -- fed by the functions themselves


@dataclass
class Measured:
    """What the functions' own lines count, by the minute, as CloudWatch reads it out of them."""

    world: World
    minutes: list[defaultdict[str, float]] = field(default_factory=list)

    def pass_minutes(self, count: int) -> None:
        for _ in range(count):
            self.minutes.append(defaultdict(float))
            self.world.release()
            self.world.run(for_ms=1_000)
            self.world.roll_up()
            self.world.clock.sleep(59)

    def write(self, line: str) -> None:
        document = json.loads(line)
        for directive in document.get("_aws", {}).get("CloudWatchMetrics", ()):
            for metric in directive["Metrics"]:
                function = document["function"].rpartition("-")[2].capitalize() + "Function"
                self.minutes[-1][f"{OURS} {metric['Name']} {function}"] += document[metric["Name"]]

    def figures(self) -> dict[str, list[float | None]]:
        """With an hour of nothing before, which is as long as the windows of pages are."""
        names = set().union(*self.minutes)
        return {name: [*[None] * HOUR, *(minute.get(name) for minute in self.minutes)] for name in names}


@pytest.fixture
def measured() -> Measured:
    world = World(keeps_stream=True)
    found = Measured(world)
    world.functions.services = replace(world.services, write=found.write)
    return found


def test_a_deleted_webhook_with_1500_waiting_wakes_nobody(
    template: Template, measured: Measured, figure: Figure
) -> None:
    webhook = measured.world.owners.register("one")
    measured.world.receivers.script(url_of("one"), [200] * 10_000)
    measured.minutes.append(defaultdict(float))
    webhook = measured.world.owners.change(webhook, status="paused")
    measured.world.publish(*events(1500))
    measured.pass_minutes(3)
    measured.world.owners.delete(webhook)
    measured.pass_minutes(20)
    figures = measured.figures()
    buried = sum(each or 0 for each in figures[f"{OURS} buried ReplayFunction"])
    assert buried == 1500
    off = gone_off(template, _all_is_well(figures))
    assert not off & PAGES
    figure(f"a deleted webhook with 1,500 waiting: {buried:g} dead letters, no page, tickets: {sorted(off) or 'none'}")


def test_a_broken_endpoint_without_retries_wakes_nobody(template: Template, measured: Measured) -> None:
    measured.world.owners.register("one", max_retries=0)
    measured.world.receivers.script(url_of("one"), [500] * 10_000)
    measured.minutes.append(defaultdict(float))
    for n in range(20):
        measured.world.publish(*events(2, start=2 * n))
        measured.pass_minutes(1)
    assert sum(each or 0 for each in measured.figures()[f"{OURS} buried ReplayFunction"]) > 5
    assert not gone_off(template, _all_is_well(measured.figures())) & PAGES


def test_rollup_that_is_off_for_two_minutes_is_said(template: Template, measured: Measured) -> None:
    measured.pass_minutes(3)
    for _ in range(3):
        measured.minutes.append(defaultdict(float))
        measured.world.release()
        measured.world.clock.sleep(60)
    assert gone_off(template, _all_is_well(measured.figures())) == {"StatisticsBehind"}


# -- Prometheus


@dataclass(frozen=True)
class Fires:
    """Series in promtool's notation, by the minute; when the alert is there, with which labels and what it says."""

    series: Mapping[str, str]
    at: str
    says: str
    labels: Mapping[str, str] = field(default_factory=dict)


UP = {'up{job="webhooks"}': "1x2000"}
FIRES: Mapping[str, Fires] = {
    "OldestEvent": Fires({'webhook_queue_oldest_message_age_seconds{queue="ingest"}': "90x60"}, "10m", "90 (ingest)",
                         {"queue": "ingest"}),
    "OldestDelivery": Fires({'webhook_queue_oldest_message_age_seconds{queue="delivery"}': "700x60"}, "10m",
                            "700 (delivery)", {"queue": "delivery"}),
    "OldestStaticDelivery": Fires(
        {'webhook_queue_oldest_message_age_seconds{queue="static_delivery"}': "700x60"}, "10m", "700 (static_delivery)",
        {"queue": "static_delivery"},
    ),
    "DeadLettersStuck": Fires({'webhook_queue_oldest_message_age_seconds{queue="dead_letter"}': "700x60"}, "10m",
                              "700 (dead_letter)", {"queue": "dead_letter"}),
    "JobsStuck": Fires({'webhook_queue_oldest_message_age_seconds{queue="jobs"}': "2000x60"}, "20m", "2000 (jobs)",
                       {"queue": "jobs"}),
    "QueueGrows": Fires({'webhook_queue_messages{queue="delivery",state="visible"}': "2000+100x60"}, "40m",
                        "6000 (delivery)", {"queue": "delivery", "state": "visible"}),
    **{
        name: Fires({f'webhook_queue_messages{{queue="{queue}",state="visible"}}': "1x60"}, "10m", f"1 ({queue})",
                    {"queue": queue, "state": "visible"})
        for name, queue in {
            "IngestDeadLetter": "ingest_dead_letter",
            "JobsDeadLetter": "jobs_dead_letter",
            "RuleTargetDeadLetter": "rule_target_dead_letter",
            "StreamFailures": "stream_failures",
        }.items()
    },
    "ReleaseMissing": Fires({'webhook_stage_lag_seconds{stage="release"}': "0+60x60"}, "20m", "1200",
                            {"stage": "release"}),
    "StatisticsBehind": Fires({'webhook_stage_lag_seconds{stage="rollup"}': "0 60 120 180 240"}, "3m", "180",
                              {"stage": "rollup"}),
    "NotScraped": Fires({'up{job="webhooks"}': "1x5 _x60"}, "20m", "1"),
    "AttemptsFail": Fires({"webhook_delivery_attempts_total": "0+60x60", "webhook_delivery_successes_total": "0+15x60"},
                          "40m", "0.75"),
    "OpenCircuits": Fires({'webhook_circuit_breakers{state="open"}': "11x60",
                           'webhook_circuit_breakers{state="half_open"}': "2x60"}, "30m", "13"),
    "WaitingDeliveries": Fires({'webhook_parked_deliveries{reason="circuit_open"}': "12000x60",
                                'webhook_parked_deliveries{reason="paused"}': "90000x60"}, "40m", "1.2e+04"),
    "DeliveriesStartLate": Fires({'webhook_delivery_initiation_seconds_bucket{le="5"}': "0+1x60",
                                  'webhook_delivery_initiation_seconds_bucket{le="20"}': "0+100x60",
                                  'webhook_delivery_initiation_seconds_bucket{le="+Inf"}': "0+100x60"}, "40m", "19.24"),
    "SendersCutOff": Fires({"webhook_delivery_unknown_total": "0+10x60"}, "40m", "150"),
    "DeliveriesCostMore": Fires({'webhook_cost_units_total{item="delivery"}': "0+660x180",
                                 "webhook_deliveries_total": "0+60x180"}, "150m", "11"),
    "DeliveriesLostFast": Fires({"webhook_deliveries_lost_total": "0+2x120",
                                 "webhook_delivery_successes_total": "0+98x120"}, "90m", "0.02"),
    "DeliveriesLostSlowly": Fires({"webhook_deliveries_lost_total": "0+1x500",
                                   "webhook_delivery_successes_total": "0+99x500"}, "420m", "0.01"),
    "ApiUnavailableFast": Fires({"webhook_api_errors_per_minute": "2x120",
                                 "webhook_api_requests_per_minute": "100x120"}, "90m", "0.02"),
    "ApiUnavailableSlowly": Fires({"webhook_api_errors_per_minute": "1x500",
                                   "webhook_api_requests_per_minute": "100x500"}, "420m", "0.01"),
    "ApiSlow": Fires({"webhook_api_latency_p95_seconds": "3x60", "webhook_api_requests_per_minute": "50x60"}, "40m",
                     "3"),
}  # fmt: skip

SILENT: Mapping[str, Mapping[str, str]] = {
    "a deleted webhook with 1,500 waiting": {
        "webhook_delivery_successes_total": "0+2x400",
        "webhook_dead_letters_total": "0x30 1500x370",
        "webhook_deliveries_lost_total": "0x400",
        'webhook_queue_messages{queue="dead_letter",state="visible"}': "0x30 1500 700 0x370",
    },
    "a broken endpoint with max_retries 0": {
        "webhook_delivery_attempts_total": "0+2x400",
        "webhook_delivery_successes_total": "0x400",
        'webhook_delivery_failures_total{reason="http_500"}': "0+2x400",
        "webhook_dead_letters_total": "0+2x400",
        "webhook_deliveries_lost_total": "0x400",
        "webhook_deliveries_total": "0+2x400",
        'webhook_cost_units_total{item="delivery"}': "0+6x400",
    },
    "two failed scrapes in an hour": {'up{job="webhooks"}': "1x20 0 1x25 0 1x350"},
    "a quiet night": {
        "webhook_delivery_successes_total": "5x400",
        "webhook_deliveries_lost_total": "0x400",
        "webhook_api_requests_per_minute": "1x400",
        "webhook_api_errors_per_minute": "0x100 1 0x300",
        'webhook_stage_lag_seconds{stage="release"}': "30x400",
        'webhook_stage_lag_seconds{stage="rollup"}': "60 0 60 0 0x400",
    },
}


def test_each_alert_has_a_case() -> None:
    assert FIRES.keys() == ALERTS.keys()


def test_alerts_go_off_by_what_they_are_for_and_by_nothing_else(tmp_path: Path) -> None:
    tests = [_promtool_case(name, each) for name, each in FIRES.items()]
    tests += [_silent_case(name, {**UP, **series}) for name, series in SILENT.items()]
    _promtool_test(tmp_path, tests)


def _promtool_case(name: str, case: Fires) -> dict[str, Any]:
    annotations = dict(ALERTS[name]["annotations"]) | {"description": f"It is {case.says}."}
    labels = {"severity": ALERTS[name]["labels"]["severity"], **case.labels}
    expected = [{"exp_labels": labels, "exp_annotations": annotations}]
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in {**UP, **case.series}.items()],
        "alert_rule_test": [{"eval_time": case.at, "alertname": name, "exp_alerts": expected}],
    }


def _silent_case(name: str, series: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": each, "values": values} for each, values in series.items()],
        "alert_rule_test": [
            {"eval_time": f"{minute}m", "alertname": alert} for alert in sorted(PAGES & ALERTS.keys())
            for minute in range(1, 390, 3)
        ],
    }  # fmt: skip


def _promtool_test(folder: Path, tests: list[dict[str, Any]]) -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed (Debian: apt install prometheus)")
    shutil.copy(alarm_rules.RULES, folder)
    document = {"rule_files": [alarm_rules.RULES.name], "evaluation_interval": "1m", "tests": tests}
    (folder / "tests.yml").write_text(yaml.safe_dump(document))
    done = subprocess.run(
        [tool, "test", "rules", "tests.yml"], capture_output=True, text=True, cwd=folder, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


# -- what to do


@pytest.mark.parametrize("name", ALARMS)
def test_each_alarm_has_a_section_that_says_what_to_do(name: str) -> None:
    operations = (PROJECT / "docs" / "operations.md").read_text()
    found = re.search(rf"^#### {name}\n\n(.*?)(?=^#)", operations, re.MULTILINE | re.DOTALL)
    assert found, f"no section #### {name}"
    for part in ("**Impact:**", "**Urgency:**", "**First:**"):
        assert part in found[1], part
    assert ALARMS[name]["urgency"] in found[1].partition("**Urgency:**")[2]


def test_no_section_is_about_an_alarm_that_is_gone() -> None:
    operations = (PROJECT / "docs" / "operations.md").read_text()
    section = operations.partition("\n## Alarms\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^#### (\w+)$", section, re.MULTILINE)) == ALARMS.keys()
