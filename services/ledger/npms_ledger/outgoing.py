"""From what the rules tell to what the ledger says."""

from dataclasses import dataclass
from datetime import datetime

from npms_ledger.domain import events
from npms_shared.contracts import ledger
from npms_shared.contracts.ledger import LedgerEvent


@dataclass(frozen=True, slots=True)
class Estimate:
    """What will clear an account when its hold ends, and by which assumption."""

    amount_micro: int
    basis: str


def credit_event(
    event: events.CreditEvent,
    *,
    account_id: int,
    currency: str,
    at: datetime,
    estimate: Estimate | None = None,
) -> LedgerEvent:
    """The contract of a decision's event."""
    match event:
        case events.ThresholdCrossed():
            return ledger.ThresholdCrossed(
                account_id=account_id,
                currency=currency,
                threshold_micro=event.threshold_micro,
                balance_micro=event.balance_micro,
                amount_to_avoid_cut_micro=event.amount_to_avoid_cut_micro,
                crossed_at=at,
            )
        case events.EmergencyOffered():
            return ledger.EmergencyCreditOffered(
                account_id=account_id,
                currency=currency,
                limit_micro=event.limit_micro,
                balance_micro=event.balance_micro,
                offered_at=at,
            )
        case events.EmergencyAccepted():
            return ledger.EmergencyCreditAccepted(
                account_id=account_id,
                currency=currency,
                limit_micro=event.limit_micro,
                balance_micro=event.balance_micro,
                accepted_at=at,
            )
        case events.CreditRestored():
            return ledger.CreditRestored(
                account_id=account_id,
                currency=currency,
                balance_micro=event.balance_micro,
                restored_at=at,
            )
        case events.ProtectionExpired():
            return ledger.ProtectionExpired(
                account_id=account_id,
                currency=currency,
                balance_micro=event.balance_micro,
                amount_to_clear_micro=event.amount_to_clear_micro,
                expired_at=at,
            )
        case events.CreditExhausted():
            return _exhausted(
                event, account_id=account_id, currency=currency, at=at, estimate=estimate
            )


def _exhausted(
    event: events.CreditExhausted,
    *,
    account_id: int,
    currency: str,
    at: datetime,
    estimate: Estimate | None,
) -> ledger.CreditExhausted:
    return ledger.CreditExhausted(
        account_id=account_id,
        currency=currency,
        balance_micro=event.balance_micro,
        emergency_used_micro=event.emergency_used_micro,
        amount_to_clear_micro=event.amount_to_clear_micro,
        keeps_supply_until=event.keeps_supply_until,
        keeps_supply_reason=event.keeps_supply_reason,
        exhausted_at=at,
        estimated_amount_micro=estimate.amount_micro if estimate else None,
        estimate_basis=estimate.basis if estimate else None,
    )
