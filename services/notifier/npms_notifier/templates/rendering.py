"""A notice in somebody's language: subject and text of an e-mail, text of an SMS."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    pass_context,
    select_autoescape,
)
from jinja2.runtime import Context

from npms_notifier.domain import segments
from npms_notifier.domain.contacts import LANGUAGES, Channel
from npms_notifier.domain.notices import Money, Notice
from npms_notifier.templates import formats
from npms_notifier.templates.samples import SAMPLES

MAX_SMS_SEGMENTS = 2
_FOLDER = Path(__file__).parent / "text"


class TemplateFault(Exception):
    """A template that is missing, malformed, or asks for what its notice does not give."""

    def __init__(self, language: str, template: str, reason: str) -> None:
        super().__init__(f"{language}/{template}: {reason}")
        self.language, self.template, self.reason = language, template, reason


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom a notice is written; `language` is one of LANGUAGES."""

    account_id: int
    name: str
    language: str
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Rendered:
    """`subject` is empty where the channel has none."""

    subject: str
    body: str


class Renderer:
    """The templates, loaded once; `brand` is who speaks."""

    def __init__(self, *, brand: str) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(_FOLDER),
            undefined=StrictUndefined,
            autoescape=select_autoescape(("html",)),
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["brand"] = brand
        self._environment.filters.update(money=_money, due=_due, moment=_moment)

    def render(self, notice: Notice, channel: Channel, reader: Reader) -> Rendered:
        """Raises TemplateFault."""
        try:
            template = self._environment.get_template(f"{reader.language}/{notice.template}.j2")
            if channel is Channel.EMAIL:
                subject = " ".join(_block(template, "subject", notice, reader).split())
                return Rendered(subject, _block(template, "email", notice, reader).strip() + "\n")
            text = segments.plain(_block(template, "sms", notice, reader))
            return Rendered("", segments.fit(text, segments=MAX_SMS_SEGMENTS))
        except TemplateError as fault:
            raise TemplateFault(reader.language, notice.template, str(fault)) from fault

    def check(self) -> None:
        """Render every sample in every language; raises TemplateFault."""
        for language in LANGUAGES:
            reader = Reader(1, "A. Customer", language, ZoneInfo("UTC"))
            for notice in SAMPLES:
                for channel in Channel:
                    self.render(notice, channel, reader)


def _block(template: Template, name: str, notice: Notice, reader: Reader) -> str:
    values: dict[str, Any] = {**notice.values, "reader": reader}
    if name not in template.blocks:
        raise TemplateError(f"no block {name!r}")
    return "".join(template.blocks[name](template.new_context(values)))


@pass_context
def _money(context: Context, value: Money) -> str:
    return formats.show_money(value, context["reader"].language)


@pass_context
def _due(context: Context, value: Money) -> str:
    return formats.show_due(value, context["reader"].language)


@pass_context
def _moment(context: Context, value: Any) -> str:
    reader: Reader = context["reader"]
    return formats.show_moment(value, reader.zone, reader.language)
