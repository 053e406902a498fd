"""Each version reads what the others have written: items and messages of released ones, and of one that adds to all.

`tests/data/formats` holds what released versions have written. Add a file at a release:
`python -m tests.support.formats make > tests/data/formats/<date>-<what it brought>.json`.
"""

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.api import Api
from tests.fakes.owners import caller
from tests.fakes.world import World
from tests.support.formats import DEAD, PAUSED, Data, live, load, make
from webhooks.management.dead_letters import Selection as SomeLetters
from webhooks.management.deliveries import Selection
from webhooks.management.paging import TimeRange
from webhooks.management.webhooks import Wanted

PROJECT = Path(__file__).parents[2]
RELEASED = sorted((PROJECT / "tests" / "data" / "formats").glob("*.json"))
EVERYTHING = TimeRange()
AS_IT_SHOULD = {
    "statuses": ["delivered", "failed"],  # the letter that was on its way when the job came
    "paused": 10,
    "deliveries": 50,
    "events": 20,
    "jobs": ["completed"],
    "unreadable": 0,
    "left": [0, 0, 0, 0, 0],
    "unknown": 0,
}


@cache
def today() -> str:
    """What this version makes, as JSON."""
    return json.dumps(make())


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.stem)
def test_a_released_version_s_items_and_messages_go_their_way(released: Path) -> None:
    data = json.loads(released.read_text("utf-8"))
    assert live(load(data)) == AS_IT_SHOULD
    assert len(shown(load(data))) > 20


def test_a_next_version_s_items_and_messages_go_their_way_and_keep_what_it_added() -> None:
    world = load(grown(json.loads(today())))
    assert len(shown(world)) > 20
    before = {(item["pk"]["S"], item["sk"]["S"]): item for item in world.items("")}
    rename(world)
    assert live(world) == AS_IT_SHOULD
    kept = [(before[key], item) for item in world.items("") if (key := (item["pk"]["S"], item["sk"]["S"])) in before]
    assert len(kept) > 100
    assert [item["sk"]["S"] for _, item in kept if "tomorrow" not in item] == []
    for name in ("attempts", "circuit", "job"):
        had = [item for old, item in kept if "of tomorrow" in old.get(name, {}).get("S", "")]
        assert had
        assert [item["sk"]["S"] for item in had if "of tomorrow" not in item[name]["S"]] == []


@pytest.mark.parametrize("grow", [dict, lambda data: grown(data)], ids=["this version's", "the next one's"])
def test_the_commit_before_carries_on_with_what_newer_code_wrote(grow: Callable[[Data], Data], tmp_path: Path) -> None:
    archive = subprocess.run(["git", "archive", "HEAD~1"], cwd=PROJECT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"there is no commit before this one: {archive.stderr.decode()}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(tmp_path, filter="data")
    own = tmp_path / "tests" / "support" / "formats.py"
    own.write_bytes((PROJECT / "tests" / "support" / "formats.py").read_bytes())
    paths = os.pathsep.join([str(tmp_path), str(tmp_path / "shared")])
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.formats", "live"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": paths},
        input=json.dumps(grow(json.loads(today()))),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == AS_IT_SHOULD


def shown(world: World) -> list[str]:
    """What the owner's lists show: webhooks, deliveries, dead letters and events."""
    api, who = Api(world.services), caller(7)
    webhooks = api.owners.webhooks.page(who, None, Wanted(), after=None, limit=100).items
    ids = [webhook.webhook_id for webhook in webhooks]
    for webhook_id in list(ids):
        found = api.deliveries.page(who, webhook_id, Selection(), EVERYTHING, 100)
        ids += [each.delivery_id for each in found.items]
    letters = api.dead_letters.page(who, None, SomeLetters(), EVERYTHING, 100)
    return [*ids, *(letter.delivery_id for letter in letters.items)]


def rename(world: World) -> None:
    """A webhook and a subscription are written anew by this version."""
    api, who = Api(world.services), caller(7)
    webhooks = api.owners.webhooks.page(who, None, Wanted(), after=None, limit=100).items
    for webhook in webhooks:
        if webhook.name in (DEAD, PAUSED):
            api.owners.change(webhook, description="changed")
            (subscription, *_), _ = api.owners.subscriptions.page(who, webhook.webhook_id, after=None, limit=100)
            api.owners.change_subscription(webhook, subscription.subscription_id, resource_id="tbl_1")
            api.owners.change_subscription(webhook, subscription.subscription_id, resource_id=None)


def grown(data: Data) -> Data:
    """As a version would write it that has added something to every format."""
    for item in data["items"]:
        grow_item(item)
    for messages in data["queues"].values():
        for message in messages:
            grow_message(message)
    return data


def grow_item(item: dict[str, Any]) -> None:
    def text(name: str, change: Callable[[str], str]) -> None:
        if name in item:
            item[name] = {"S": change(item[name]["S"])}

    text("attempts", lambda stored: json.dumps([[*row, "of tomorrow", {"a": 1}] for row in json.loads(stored)]))
    if item["sk"]["S"] == "state":
        text("circuit", lambda stored: json.dumps([*json.loads(stored), "of tomorrow", 5]))
    text("cycle", lambda stored: f"{stored}|17")
    text("seen", lambda stored: ",".join(f"{each}:x" for each in stored.split(",")))
    text("waiting", lambda stored: f"{stored}|x")
    text("skipped", lambda stored: json.dumps([*_rows_in_second(json.loads(stored)), "of tomorrow"]))
    text("missed", lambda stored: json.dumps([[*row, "of tomorrow"] for row in json.loads(stored)]))
    text("job", lambda stored: json.dumps({**json.loads(stored), "tomorrow": "of tomorrow"}))
    if "#" not in item["sk"]["S"]:
        text("subscriptions", lambda stored: json.dumps([[*row, "of tomorrow"] for row in json.loads(stored)]))
    item["tomorrow"] = {"M": {"a": {"L": [{"BOOL": True}]}}}


def _rows_in_second(skipped: list[Any]) -> list[Any]:
    counts, first = skipped
    return [counts, [[*row, "of tomorrow"] for row in first]]


def grow_message(message: list[Any]) -> None:
    body, attributes = message
    if "meta" in attributes:
        meta = json.loads(attributes["meta"]["StringValue"])
        attributes["meta"]["StringValue"] = json.dumps({**meta, "z": {"of": "tomorrow"}})
    else:
        message[0] = json.dumps({**json.loads(body), "tomorrow": 1})
    attributes["tomorrow"] = {"DataType": "String", "StringValue": "x"}
