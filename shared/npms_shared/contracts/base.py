"""The form every contract has: a versioned pydantic model that names its publisher."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Event(BaseModel):
    """A fact, told once it was written.

    Readers ignore fields they do not know, so that a version can grow; nothing
    is removed, retyped or newly required within a version.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    publisher: ClassVar[str]
    """The service that alone may say this."""
    name: ClassVar[str]
    """Routing key, `<thing>_<happened>.v<n>`."""

    @classmethod
    def event_type(cls) -> str:
        """CloudEvents type, e.g. `npms.ledger.account_opened.v1`."""
        return f"npms.{cls.publisher}.{cls.name}"


class Batch(Event):
    """Many items of one partition as parallel columns: one message, one transaction.

    Every list field has the same length; item *i* is the i-th entry of each.
    """

    def __len__(self) -> int:
        raise NotImplementedError
