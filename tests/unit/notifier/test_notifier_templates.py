from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import DictLoader

import npms_notifier.templates
from npms_notifier.domain import notices
from npms_notifier.domain.contacts import LANGUAGES, Channel
from npms_notifier.domain.notices import Money, Notice
from npms_notifier.domain.segments import measure
from npms_notifier.templates.formats import show_due, show_moment, show_money, zone_of
from npms_notifier.templates.rendering import Reader, Renderer, TemplateFault
from npms_notifier.templates.samples import SAMPLES

RENDERER = Renderer(brand="NPMS")
NAIROBI = ZoneInfo("Africa/Nairobi")


def reader(language: str = "en") -> Reader:
    return Reader(account_id=1042, name="Wanjiku Kamau", language=language, zone=NAIROBI)


def kes(amount_micro: int) -> Money:
    return Money(amount_micro, "KES")


def test_every_template_has_a_sample_in_every_language() -> None:
    folder = Path(npms_notifier.templates.__path__[0]) / "text"
    for language in LANGUAGES:
        found = {path.stem for path in (folder / language).iterdir()}
        assert found == {sample.template for sample in SAMPLES}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.template)
def test_every_template_renders(sample: Notice, language: str) -> None:
    mail = RENDERER.render(sample, Channel.EMAIL, reader(language))
    assert mail.subject
    assert "\n" not in mail.subject
    assert ("Wanjiku Kamau" in mail.body) is not sample.to_unverified
    assert "\n\n\n" not in mail.body
    sms = RENDERER.render(sample, Channel.SMS, reader(language))
    assert sms.subject == ""
    assert measure(sms.body).encoding == "gsm7"
    assert measure(sms.body).segments <= 2
    assert not sms.body.endswith("..."), "nothing of it had to be cut"
    for body in (mail.body, sms.body, mail.subject):
        assert not (sample.to_unverified and "1042" in body), "who has the address is not known"
        assert "None" not in body
        assert "Money(" not in body


@pytest.mark.parametrize("currency", ["KES", "ZAR", "EUR", "USD", "INR", "JPY", "TZS"])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.template)
def test_an_sms_costs_two_segments_at_most(sample: Notice, language: str, currency: str) -> None:
    values = {
        name: Money(99_999_999_999, currency) if isinstance(value, Money) else value
        for name, value in sample.values.items()
    }
    large = Reader(account_id=10**9, name="x", language=language, zone=NAIROBI)
    sms = RENDERER.render(Notice(sample.template, values), Channel.SMS, large)
    assert measure(sms.body).segments <= 2


def test_the_low_balance_message_has_the_balance_and_what_avoids_the_cut() -> None:
    notice = notices.low_balance(balance=kes(48_205_999), to_avoid_cut=kes(151_790_001))
    for channel in Channel:
        body = RENDERER.render(notice, channel, reader()).body
        assert "KES 48.20" in body
        assert "KES 151.80" in body
    assert "Ksh 48.20" in RENDERER.render(notice, Channel.SMS, reader("sw")).body


def test_the_exhausted_message_has_what_clears_it_and_until_when_supply_stays() -> None:
    until = datetime(2026, 11, 24, 4, tzinfo=UTC)
    notice = notices.credit_exhausted(
        to_clear=kes(200_000_000), keeps_supply=True, keeps_supply_until=until
    )
    for channel in Channel:
        body = RENDERER.render(notice, channel, reader()).body
        assert "KES 200.00" in body
        assert "until Tue 24 Nov, 07:00" in body
        assert "switched off" not in body
    assert "Jumanne 24 Nov, 07:00" in RENDERER.render(notice, Channel.SMS, reader("sw")).body


def test_a_protected_customer_is_not_told_of_a_cut() -> None:
    notice = notices.credit_exhausted(to_clear=kes(1), keeps_supply=True, keeps_supply_until=None)
    body = RENDERER.render(notice, Channel.SMS, reader()).body
    assert "stays on" in body
    assert "switched off" not in body


def test_a_long_answer_is_cut_in_an_sms_and_whole_in_an_email() -> None:
    answer = "Please read your meter. " * 40
    notice = notices.ticket_answered(subject="Bill\nBcc: x", answer=answer)
    sms = RENDERER.render(notice, Channel.SMS, reader())
    assert measure(sms.body).segments == 2
    assert sms.body.endswith("...")
    mail = RENDERER.render(notice, Channel.EMAIL, reader())
    assert answer.strip() in mail.body
    assert mail.subject == "Re: Bill Bcc: x"


def test_what_a_notice_does_not_give_fails_at_start() -> None:
    renderer = Renderer(brand="NPMS")
    renderer.check()
    for text, reason in [
        ("{% block subject %}{{ balanse }}{% endblock %}", "balanse"),
        ("{% block other %}{% endblock %}", "no block 'subject'"),
        ("{% block subject %}{{ }}{% endblock %}", "Expected an expression"),
    ]:
        renderer._environment.loader = DictLoader({"en/low_balance.j2": text})
        renderer._environment.cache.clear()  # type: ignore[union-attr]
        with pytest.raises(TemplateFault, match=reason):
            renderer.check()


@given(st.integers(-(10**15), 10**15), st.sampled_from(LANGUAGES))
def test_a_balance_is_never_less_than_it_says_and_what_is_due_is_enough(
    amount_micro: int, language: str
) -> None:
    exact = Decimal(amount_micro).scaleb(-6)
    assert exact - Decimal("0.01") < number(show_money(kes(amount_micro), language)) <= exact
    assert exact <= number(show_due(kes(amount_micro), language)) < exact + Decimal("0.01")


def number(shown: str) -> Decimal:
    sign = -1 if shown.startswith("-") else 1
    return sign * Decimal("".join(c for c in shown if c.isdigit() or c == "."))


def test_decimals_follow_the_currency() -> None:
    assert show_due(Money(1_000_001, "JPY"), "en") == "¥ 2"
    assert show_money(Money(-1_234_560_000, "KES"), "en") == "-KES 1,234.56"


def test_times_are_local() -> None:
    moment = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
    assert show_moment(moment, zone_of("Africa/Nairobi"), "en") == "Tue 24 Nov, 01:30"
    assert zone_of("Nowhere/At_all") == ZoneInfo("UTC")
    assert zone_of("") == ZoneInfo("UTC")
