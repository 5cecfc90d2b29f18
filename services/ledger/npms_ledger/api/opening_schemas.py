"""The opening of an account on REST."""

from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from npms_ledger.api.account_schemas import ContactDocument, MeterDocument
from npms_ledger.api.debt_schemas import DebtRequest
from npms_ledger.api.policy_schemas import PolicyDocument
from npms_ledger.handlers.open_account import NewCustomer, OpenAccount, Opened
from npms_ledger.handlers.open_by_hand import OpenedByHand
from npms_shared.contracts.ledger import Contact, MeterConnection
from npms_shared.web.schemas import (
    MAX_ID,
    CodedError,
    Currency,
    Energy,
    Line,
    Money,
    Schema,
    Zone,
)


class CustomerRequest(Schema):
    name: Line = Field(examples=["Amina Otieno"])
    language: str = Field(pattern="^[a-z]{2}$", examples=["en"])
    contacts: list[ContactDocument] = Field(default=[], max_length=10)


class UsagePointRequest(Schema):
    label: Line = Field(examples=["Plot 12, door 3"])
    commodity: Literal["electricity", "water", "gas"] = "electricity"
    max_power_w: int = Field(gt=0, le=10_000_000, examples=[10_000])


class OpenAccountRequest(Schema):
    """Everything for a household to begin: who, where, which meter, which plan, which policy."""

    customer: CustomerRequest | None = None
    customer_id: int | None = Field(default=None, description="instead of `customer`: one we know")
    time_zone: Zone = Field(examples=["Africa/Nairobi"])
    currency: Currency = Field(examples=["KES"])
    usage_point: UsagePointRequest | None = None
    usage_point_id: int | None = Field(
        default=None,
        ge=1,
        le=MAX_ID,
        description="instead of `usage_point`: one that somebody moved out of",
    )
    meter: MeterDocument
    opening_register: Energy
    plan_code: Line = Field(examples=["household"])
    credit_policy: Line | PolicyDocument = Field(
        description="a policy's code, or a policy of the account's own", examples=["standard"]
    )
    opening_debt: Money | None = Field(
        default=None, description="owed from before, recovered by the policy's share"
    )
    opening_credit: Money | None = Field(default=None, description="paid before, and not yet used")
    debts: list[DebtRequest] = Field(
        default=[], max_length=20, description="debts with terms of their own"
    )
    protected: bool = Field(default=False, description="never cut")
    customer_class: str = Field(
        default="",
        pattern="^([a-z0-9][a-z0-9_-]{0,59})?$",
        description="what a plan's discounts and free units go by",
        examples=["indigent"],
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.customer is None) == (self.customer_id is None):
            raise CodedError("customer_or_customer_id", "send either customer or customer_id")
        if (self.usage_point is None) == (self.usage_point_id is None):
            raise CodedError(
                "usage_point_or_usage_point_id", "send either usage_point or usage_point_id"
            )
        if self.opening_register.wh < 0:
            raise CodedError("negative_register", "a register is not negative")
        _check_opening(self.opening_debt, self.currency, "debt")
        _check_opening(self.opening_credit, self.currency, "credit")
        if any(debt.amount.currency != self.currency for debt in self.debts):
            raise CodedError("currency_mismatch", "one of debts is in another currency")
        policy = self.credit_policy
        if isinstance(policy, PolicyDocument) and policy.currency != self.currency:
            raise CodedError("currency_mismatch", "credit_policy is in another currency")
        return self

    def to_command(self) -> OpenAccount:
        """Raises PolicyError, TermsError."""
        policy, point = self.credit_policy, self.usage_point
        return OpenAccount(
            customer=self._customer(),
            time_zone=self.time_zone,
            currency=self.currency,
            label=point.label if point else "",
            commodity=point.commodity if point else "",
            max_power_w=point.max_power_w if point else 0,
            usage_point_id=self.usage_point_id,
            meter=MeterConnection(**self.meter.model_dump()),
            opening_register_wh=self.opening_register.wh,
            plan_code=self.plan_code,
            policy=policy if isinstance(policy, str) else policy.to_policy(),
            opening_debt_micro=self.opening_debt.micro if self.opening_debt else 0,
            opening_credit_micro=self.opening_credit.micro if self.opening_credit else 0,
            debts=tuple(debt.to_new() for debt in self.debts),
            protected=self.protected,
            customer_class=self.customer_class,
        )

    def _customer(self) -> NewCustomer | int:
        if self.customer is None:
            assert self.customer_id is not None
            return self.customer_id
        contacts = tuple(Contact(**contact.model_dump()) for contact in self.customer.contacts)
        return NewCustomer(self.customer.name, self.customer.language, contacts)


def _check_opening(money: Money | None, currency: str, what: str) -> None:
    if money is not None and money.micro < 0:
        raise CodedError(f"negative_{what}", f"opening_{what} is not negative")
    if money is not None and money.currency != currency:
        raise CodedError("currency_mismatch", f"opening_{what} is in another currency")


class OpenedResponse(BaseModel):
    account_id: int
    customer_id: int
    usage_point_id: int
    installation_id: int
    credit_policy: str
    supply: Literal["on", "off"]
    reason: str = Field(examples=["no_credit"])
    credit_request_id: UUID | None = Field(
        description="the money request by which the opening credit waits for a second person"
    )

    @classmethod
    def of(cls, done: OpenedByHand) -> Self:
        opened, account = done.opened, done.opened.account
        return cls(
            account_id=account.account_id,
            customer_id=opened.customer_id,
            usage_point_id=opened.usage_point_id,
            installation_id=opened.installation_id,
            credit_policy=opened.policy_code,
            supply="on" if account.position.supply_on else "off",
            reason=account.reason,
            credit_request_id=done.credit_request_id,
        )


def opened_facts(command: OpenAccount, opened: Opened) -> dict[str, Any]:
    """What the audit trail keeps of an opening."""
    return {
        "customer_id": opened.customer_id,
        "installation_id": opened.installation_id,
        "meter": command.meter.serial,
        "opening_register_wh": command.opening_register_wh,
        "plan_code": command.plan_code,
        "credit_policy": opened.policy_code,
    }
