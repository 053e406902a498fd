"""What records and settings refuse, and how settings are read."""

import pytest

from webhooks.access.tokens import TokenRules
from webhooks.models.delivery import DeliveryRecord
from webhooks.settings import EgressSettings


def test_a_record_is_not_changed_in_a_field_that_it_does_not_have() -> None:
    record = DeliveryRecord("dlv_1", "wh_1", "e1", "record.created", "ws:1")
    assert record.changed(revision=2).revision == 2
    with pytest.raises(TypeError, match="revisoin"):
        record.changed(revisoin=2)


def test_lists_in_settings_are_separated_by_commas_and_spaces_do_not_count() -> None:
    settings = EgressSettings.read({"OWN_HOSTS": " a.example, b.example ,,", "EGRESS_ALLOWED_NETWORKS": ""})
    assert settings.own_hosts == ("a.example", "b.example")
    assert settings.egress_allowed_networks == ()


@pytest.mark.parametrize(("algorithms", "shared"), [(("HS256",), True), (("RS256", "ES256"), False)])
def test_only_hs256_shares_its_secret(algorithms: tuple[str, ...], shared: bool) -> None:
    assert TokenRules(algorithms, issuer="i", audience="a").shares_a_secret is shared
