"""Where a person is told things: one channel, one address in its canonical form."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import phonenumbers

from npms_notifier.domain.errors import AddressRefused, LanguageUnknown


class Channel(StrEnum):
    EMAIL = "email"
    SMS = "sms"


LANGUAGES = ("en", "sw")
"""Every message exists in each of these; the first is spoken where another is asked for."""

_LOCAL = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(rf"(?P<local>{_LOCAL})@(?P<domain>{_LABEL}(?:\.{_LABEL})+)")


@dataclass(frozen=True, slots=True)
class Contact:
    """`fault` says why an address that came with an account is not used; `verified_at`, in business
    time, since when notices go to it.
    """

    channel: Channel
    address: str
    fault: str | None = None
    verified_at: datetime | None = None

    @property
    def masked(self) -> str:
        """Enough to tell addresses apart, too little to write to one."""
        if self.fault is not None:
            return "***"
        if self.channel is Channel.EMAIL:
            local, at, domain = self.address.rpartition("@")
            return f"{local[:1]}***{at}{domain}"
        return f"{self.address[:4]}***{self.address[-2:]}"


def contact(channel: Channel, address: str) -> Contact:
    """The contact with its address in canonical form; raises AddressRefused."""
    form = _email if channel is Channel.EMAIL else _phone
    return Contact(channel, form(address.strip()))


def contact_or_fault(channel: Channel, address: str) -> Contact:
    """As `contact`, but an address that cannot be used is kept and marked."""
    try:
        return contact(channel, address)
    except AddressRefused as fault:
        return Contact(channel, address, fault.code)


def distinct(contacts: Iterable[Contact]) -> list[Contact]:
    """The contacts in their order, each channel and address once."""
    return list({(c.channel, c.address): c for c in contacts}.values())


def kept_or_new(before: Iterable[Contact], wanted: Iterable[Contact]) -> list[Contact]:
    """Those wanted, each once; one that was there before is as it was."""
    known = {(c.channel, c.address): c for c in before}
    return [known.get((c.channel, c.address), c) for c in distinct(wanted)]


def known_language(language: str) -> str:
    """The language if messages exist in it; raises LanguageUnknown."""
    if language not in LANGUAGES:
        raise LanguageUnknown(language, known=LANGUAGES)
    return language


def spoken_language(language: str) -> str:
    """The language of messages to somebody who asked for `language`, e.g. sw-KE → sw."""
    base = re.split("[-_]", language.lower(), maxsplit=1)[0]
    return base if base in LANGUAGES else LANGUAGES[0]


def _email(text: str) -> str:
    found = _EMAIL.fullmatch(text)
    if found is None or len(text) > 254 or _has_stray_dot(found["local"]):
        raise AddressRefused("not_an_email_address", channel=Channel.EMAIL, address=text)
    return f"{found['local']}@{found['domain'].lower()}"


def _has_stray_dot(local: str) -> bool:
    return local.startswith(".") or local.endswith(".") or ".." in local


def _phone(text: str) -> str:
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        raise AddressRefused("not_an_e164_number", channel=Channel.SMS, address=text) from None
    if not phonenumbers.is_possible_number(number):
        raise AddressRefused("impossible_number", channel=Channel.SMS, address=text)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
