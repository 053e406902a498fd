"""Ids of the platform are kept as they are given, a 0 included."""

import pytest

from tests.fakes.world import World, event


@pytest.mark.parametrize("owner", [0, "0", 7, "u9"])
def test_whatever_a_user_s_id_is_what_its_webhook_hears_of_is_delivered(owner: int | str) -> None:
    world = World()
    webhook = world.owners.register("one", user_id=owner, workspace_id=0)
    world.publish(event("e1", user_id=owner, workspace_id=0))
    world.run()
    assert world.delivery().status == "delivered"
    assert world.owners.webhook(webhook).user_id == owner
