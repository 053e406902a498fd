"""monitoring/grafana: every panel asks for what there is, and what starts Grafana finds it."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.infrastructure.template_document import PROJECT
from tests.infrastructure.test_prometheus import exposition

__all__ = ["exposition"]

MONITORING = PROJECT / "monitoring"
DASHBOARD = json.loads((MONITORING / "grafana" / "dashboards" / "webhook-service.json").read_text())


def queries() -> Iterator[tuple[str, str]]:
    """(panel's title, query), as Grafana sends it."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m")


def test_every_query_is_about_metrics_and_recordings_that_exist(exposition: str) -> None:
    emitted = {sample.name for family in text_string_to_metric_families(exposition) for sample in family.samples}
    groups = yaml.safe_load((MONITORING / "prometheus" / "alerts.yml").read_text())["groups"]
    recorded = {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}
    for title, query in queries():
        named = set(re.findall(r"\bwebhooks?[_:][\w:]+", query))
        assert named <= emitted | recorded, title
        assert named or "up{" in query, title
        assert "$" not in query, title


def test_every_query_is_one(tmp_path: Path) -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not installed (Debian: apt install prometheus)")
    rules = [{"record": f"panel:{number}", "expr": query} for number, (_, query) in enumerate(queries())]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run([tool, "check", "rules", str(path)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_panels_lie_beside_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_what_is_provisioned_is_what_the_panels_ask() -> None:
    provisioning = MONITORING / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    used = {each["datasource"]["uid"] for panel in DASHBOARD["panels"] for each in (panel, *panel["targets"])}
    assert used == {source["uid"]}
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "webhooks.yml").read_text())["providers"]
    services = yaml.safe_load((MONITORING / "compose.yaml").read_text())["services"]
    mounts = dict(each.removesuffix(":ro").split(":") for each in services["grafana"]["volumes"])
    assert mounts["./grafana/dashboards"] == provider["options"]["path"]
    for service in services.values():
        for mount in service["volumes"]:
            assert (MONITORING / mount.split(":")[0]).is_dir()
        assert service["network_mode"] == "host"
    listens = json.dumps(services["prometheus"]["command"]), services["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"]
    assert "--web.listen-address=127.0.0.1:" in listens[0]
    assert listens[1] == "127.0.0.1"
