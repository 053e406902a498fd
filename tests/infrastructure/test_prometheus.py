"""monitoring/prometheus: rules speak of metrics that exist. With promtool at hand they are checked and tested too."""

import re
import shutil
import subprocess

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.infrastructure.template_document import PROJECT
from tests.support.statistics_fakes import MemoryStatistics
from webhooks.statistics.prometheus import API_FIGURES, Gauges, QueueDepth, ServiceMetrics

FOLDER = PROJECT / "monitoring" / "prometheus"
COUNTERS = {
    "failure#http_503": 1,
    "deferred#paused": 1,
    "parked#paused": 1,
    "missed#inactive": 1,
    "skipped#filtered": 1,
}


@pytest.fixture(scope="module")
def exposition() -> str:
    """Every series that there is."""
    statistics = MemoryStatistics(counters=COUNTERS, not_closed=[("wh_a", "open")])
    queues = {"delivery": lambda: QueueDepth(1, 0, 0)}
    gauges = Gauges(
        queues, lambda: {"delivery": 2.5}, lambda: {"release": 500, "rollup": 0}, lambda: dict.fromkeys(API_FIGURES, 1)
    )
    return ServiceMetrics(statistics, gauges).exposition()


def _promtool(*arguments: str, stdin: str = "") -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed (Debian: apt install prometheus)")
    done = subprocess.run(
        [tool, *arguments], input=stdin, capture_output=True, text=True, cwd=FOLDER, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_is_about_metrics_and_rules_that_exist(exposition: str) -> None:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    emitted = {sample.name for family in text_string_to_metric_families(exposition) for sample in family.samples}
    recorded = {rule["record"] for rule in rules if "record" in rule}
    for rule in rules:
        named = set(re.findall(r"\bwebhooks?[_:][\w:]+", rule["expr"]))
        assert named <= emitted | recorded, rule


def test_the_exposition_follows_prometheus_rules(exposition: str) -> None:
    _promtool("check", "metrics", stdin=exposition)


def test_the_rules_are_valid() -> None:
    _promtool("check", "rules", "alerts.yml")
