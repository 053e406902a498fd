"""What operators run by hand, against the local stack."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from localstack.deploy import STACK_NAME
from localstack.emulator import PROJECT
from scripts.deployed import Deployed
from scripts.doctor import examine
from scripts.put_back import kept, put_back
from tests.conftest import Figure
from tests.support.service import Service, User, event, eventually


def _deployed(service: Service) -> Deployed:
    return Deployed.read(STACK_NAME, service.stack.client)


def _wrong(service: Service) -> list[str]:
    return [f"{each.what}: {each.says}" for each in examine(_deployed(service)) if each.level == "wrong"]


@contextmanager
def _rollup_off(service: Service) -> Iterator[str]:
    functions: Any = service.stack.client("lambda")
    name = f"{service.stack.outputs['RollupFunctionName']}:live"
    (mapping,) = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        yield mapping["UUID"]
    finally:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


def test_the_doctor_finds_nothing_to_mend_and_then_what_was_switched_off(service: Service) -> None:
    assert eventually(lambda: _wrong(service), lambda wrong: not wrong) == []
    with _rollup_off(service) as uuid:
        (wrong,) = _wrong(service)
    assert f"aws lambda update-event-source-mapping --uuid {uuid} --enabled" in wrong


def test_what_the_doctor_prints_of_a_healthy_stack(service: Service, tmp_path: Path, figure: Figure) -> None:
    shutil.copy(PROJECT / "samconfig.toml", tmp_path)
    (tmp_path / ".local").mkdir()
    service.stack.running.write(tmp_path / ".local")
    asks = "import pathlib, sys; from scripts.doctor import main; sys.exit(main(pathlib.Path(sys.argv.pop())))"
    done = subprocess.run(
        [sys.executable, "-c", asks, str(tmp_path)], capture_output=True, text=True, check=False, cwd=PROJECT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("nothing to mend\n")
    figure("make doctor:\n" + done.stdout.rstrip())


def test_messages_that_could_not_be_read_are_put_back_as_they_were(service: Service, user: User) -> None:
    """A message of a newer version, as after going back: it is kept, and can be sent again later."""
    sqs, dynamodb = service.stack.client("sqs"), service.stack.client("dynamodb")
    table, queue = service.stack.outputs["TableName"], service.stack.outputs["DeliveryQueueUrl"]
    body = f'{{"unreadable": "{time.time_ns()}"}}'
    meta = {"meta": {"DataType": "String", "StringValue": '{"v": "of tomorrow"}'}}
    sqs.send_message(QueueUrl=queue, MessageBody=body, MessageAttributes=meta)

    def items() -> list[dict[str, Any]]:
        return [each for each in kept(dynamodb, table) if each.get("meta", {}).get("S") == '{"v": "of tomorrow"}']

    (first,) = eventually(items)
    assert put_back(first, sqs, queue, dynamodb, table)
    (second,) = eventually(items, lambda found: found and found[0]["sk"] != first["sk"])  # it came that way again
    assert second["body"] == first["body"]
    dynamodb.delete_item(TableName=table, Key={name: second[name] for name in ("pk", "sk")})

    webhook = user.register(service.receiver.url(service.path()))
    published = event()
    user.post("/events", published)
    user.settled(webhook["id"], published["id"])


def test_one_that_was_cut_is_not_put_back() -> None:
    unasked = cast("Any", None)
    item = {"reason": {"S": "x (cut: of 9 bytes the first 3 are kept)"}}
    assert not put_back(item, unasked, "", unasked, "")
