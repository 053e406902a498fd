"""scripts/import_webhooks.py against the deployed stack: what it imports signs as it did before."""

import json
import subprocess
import sys
from pathlib import Path

import httpx

from localstack.demo import signatures
from localstack.demo.receiver import Receiver
from localstack.emulator import PROJECT
from localstack.stack import LocalStack

OWNER, WORKSPACE = 9101, 9102
SECRET = "kept-from-the-former-service-0123456789"
URGENT = {"fields": {"priority": "high"}}


def test_an_imported_webhook_delivers_with_the_secret_it_had(stack: LocalStack, tmp_path: Path) -> None:
    with Receiver() as receiver:
        good = {"id": 1, "user_id": OWNER, "workspace_id": WORKSPACE, "name": "Kept", "url": f"{receiver.url}/kept"}
        bad = good | {"id": 2, "name": "Refused", "max_retries": 99}
        subscriptions = [
            {"id": 11, "webhook_id": 1, "event_type": "record.created", "is_active": True, "filters": URGENT},
            {"id": 12, "webhook_id": 2, "event_type": "record.renamed", "is_active": True, "filters": None},
        ]
        export = tmp_path / "export.json"
        rows = [good | {"secret": SECRET}, bad]
        export.write_text(json.dumps({"webhooks": rows, "webhook_subscriptions": subscriptions}))

        arguments = [str(export), "--url", stack.base_url, "--results", str(tmp_path / "results.csv")]
        jwt_secret = stack.client("secretsmanager").get_secret_value(SecretId=stack.outputs["JwtSecretArn"])
        done = subprocess.run(
            [sys.executable, str(PROJECT / "scripts" / "import_webhooks.py"), *arguments],
            env={"JWT_SECRET": jwt_secret["SecretString"]},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1, done.stderr
        assert "1 of 2 webhooks imported, with 1 subscriptions" in done.stdout
        assert "webhook 2 (Refused), max_retries: " in done.stdout

        token = stack.token(OWNER, workspace_ids=[WORKSPACE])
        with httpx.Client(base_url=f"{stack.base_url}/api/v1", headers={"Authorization": f"Bearer {token}"}) as api:
            (webhook,) = api.get("/webhooks").json()["items"]
            assert f"1,{webhook['id']},{OWNER},Kept," in (tmp_path / "results.csv").read_text()
            (subscription,) = api.get(f"/webhooks/{webhook['id']}/subscriptions").json()["items"]
            assert subscription["filters"] == URGENT
            event = {"type": "record.created", "workspace_id": WORKSPACE, "data": URGENT}
            assert api.post("/events", json=event).status_code == 202
            (arrival,) = receiver.wait_for("/kept", bool, 30)
            api.delete(f"/webhooks/{webhook['id']}")
        assert signatures.by_hand(SECRET, arrival)
