"""The REST interface describes itself, and its examples are good requests."""

import pytest
from pydantic import ValidationError

from npms_ledger.api.opening_schemas import OpenAccountRequest
from npms_ledger.api.policy_schemas import PolicyDocument
from npms_ledger.bootstrap import build
from npms_ledger.settings import LedgerSettings


@pytest.fixture
def openapi(issuer):
    settings = LedgerSettings(
        database_url="postgresql://nowhere.invalid/none",
        amqp_url="amqp://nowhere.invalid/",
        jwks_path=issuer.jwks_path,
    )
    return build(settings).app.openapi()


def test_every_operation_is_named_once_and_may_answer_with_a_problem(openapi):
    operations = [
        operation
        for path, methods in openapi["paths"].items()
        if path.startswith("/v1")
        for operation in methods.values()
    ]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    assert {"open_account", "list_statement", "accept_emergency_credit"} <= set(names)
    for operation in operations:
        assert "401" in operation["responses"]


POLICY = {
    "currency": "KES",
    "low_balance": [{"at": "20", "rearm": "25"}, {"at": "50", "rearm": "60"}],
    "friendly_hours": [{"days": ["mon", "sun"], "from": "18:00", "to": "08:00"}],
}


def test_thresholds_may_come_in_any_order():
    policy = PolicyDocument.model_validate(POLICY).to_policy()
    assert [t.at_micro for t in policy.thresholds] == [50_000_000, 20_000_000]
    assert policy.kind_times.friendly[0].weekdays == {0, 6}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"floor": "1.1234567"}, "too_many_decimals"),
        ({"floor": "much"}, "not_an_amount"),
        ({"currency": "kes"}, "unknown_currency"),
        ({"debt_share_ppm": 1_000_001}, "less_than_equal"),
        ({"typing_error": 1}, "extra_forbidden"),
        (
            {"friendly_hours": [{"days": ["mon"], "from": "18:00Z", "to": "08:00"}]},
            "time_with_zone",
        ),
    ],
)
def test_a_policy_in_a_wrong_form_is_refused(change, code):
    with pytest.raises(ValidationError) as refused:
        PolicyDocument.model_validate({**POLICY, **change})
    (error,) = refused.value.errors()
    assert getattr(error.get("ctx", {}).get("error"), "code", error["type"]) == code


def test_an_unknown_field_of_an_account_is_refused():
    with pytest.raises(ValidationError):
        OpenAccountRequest.model_validate({"plan": "household"})
