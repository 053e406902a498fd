"""What records and settings refuse, and how settings are read."""

import pytest

from webhooks.access.tokens import TokenRules
from webhooks.models.delivery import DeliveryRecord
from webhooks.settings import DashboardSettings, EgressSettings, SenderSettings, WrongSettings


def test_a_record_is_not_changed_in_a_field_that_it_does_not_have() -> None:
    record = DeliveryRecord("dlv_1", "wh_1", "e1", "record.created", "ws:1")
    assert record.changed(revision=2).revision == 2
    with pytest.raises(TypeError, match="revisoin"):
        record.changed(revisoin=2)


def test_lists_in_settings_are_separated_by_commas_and_spaces_do_not_count() -> None:
    settings = EgressSettings.read({"OWN_HOSTS": " a.example, b.example ,,", "EGRESS_ALLOWED_NETWORKS": ""})
    assert settings.own_hosts == ("a.example", "b.example")
    assert settings.egress_allowed_networks == ()


SENDER = {"TABLE_NAME": "t", "DELIVERY_QUEUE_URL": "d", "DEAD_LETTER_QUEUE_URL": "l", "DATA_KEY_ID": "k"}


def test_settings_have_the_types_of_their_fields() -> None:
    given = {"RETENTION_DAYS": "7", "RETRY_BASE_SECONDS": "0.5", "STATIC_EGRESS": "True", "STATIC": "unknown"}
    settings = SenderSettings.read(SENDER | given)
    assert (settings.retention_days, settings.retry_base_seconds, settings.static_egress) == (7, 0.5, True)
    assert (settings.max_wait_days, settings.metrics_function) == (14, None)
    with pytest.raises(AttributeError):
        settings.retention_days = 8  # type: ignore[misc]


def test_each_setting_that_is_missing_or_wrong_is_named() -> None:
    given = {"TABLE_NAME": "", "DATA_KEY_ID": "k", "RETENTION_DAYS": "0", "MAX_WAIT_DAYS": "a week",
             "RETRY_BASE_SECONDS": "nan", "HOST_REQUESTS_PER_SECOND": "-1", "STATIC_EGRESS": "perhaps"}  # fmt: skip
    with pytest.raises(WrongSettings) as raised:
        SenderSettings.read(given)
    assert str(raised.value).splitlines() == [
        "RETENTION_DAYS is an integer from 1 to 3650, not 0",
        "TABLE_NAME is missing",
        "DELIVERY_QUEUE_URL is missing",
        "DEAD_LETTER_QUEUE_URL is missing",
        "MAX_WAIT_DAYS is an integer, not 'a week'",
        "RETRY_BASE_SECONDS is a number from 0.001 to 3600, not nan",
        "HOST_REQUESTS_PER_SECOND is an integer of at least 0, not -1",
        "STATIC_EGRESS is true or false, not 'perhaps'",
    ]
    with pytest.raises(WrongSettings, match="AUTH_MODE is one of jwt, header, not 'none'"):
        DashboardSettings.read({"AUTH_MODE": "none"})


@pytest.mark.parametrize(("algorithms", "shared"), [(("HS256",), True), (("RS256", "ES256"), False)])
def test_only_hs256_shares_its_secret(algorithms: tuple[str, ...], shared: bool) -> None:
    assert TokenRules(algorithms, issuer="i", audience="a").shares_a_secret is shared
