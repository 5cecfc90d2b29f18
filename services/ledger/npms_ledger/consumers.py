"""Messages in, commands out."""

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.handlers import adjustments, note, payments
from npms_ledger.handlers.post_charges import PostCharges
from npms_shared.clock import Clock
from npms_shared.contracts.meter_gateway import ProfilePublished, SupplyReported
from npms_shared.contracts.payments import PaymentReversed, PaymentSettled
from npms_shared.contracts.tariff import AdjustmentCharged, ChargesBatch, PlanVersionActivated
from npms_shared.messaging.subscriptions import (
    EventSubscription,
    Meta,
    PartitionSubscription,
    Subscription,
)


def subscriptions(clock: Clock) -> list[Subscription]:
    """Everything the ledger hears."""

    async def on_payment(
        conn: AsyncConnection, event: PaymentSettled | PaymentReversed, _meta: Meta
    ) -> None:
        if isinstance(event, PaymentSettled):
            await payments.credit_payment(conn, event, clock.now())
        else:
            await payments.reverse_payment(conn, event, clock.now())

    async def on_adjustment(conn: AsyncConnection, event: AdjustmentCharged, _meta: Meta) -> None:
        await adjustments.post_adjustment(conn, event, clock.now())

    post_charges = PostCharges(clock)
    return [
        PartitionSubscription(ChargesBatch, post_charges, forget=post_charges.forget),
        EventSubscription("ledger.payments", (PaymentSettled, PaymentReversed), on_payment),
        EventSubscription("ledger.adjustments", (AdjustmentCharged,), on_adjustment),
        EventSubscription("ledger.supply", (SupplyReported,), _on_supply),
        EventSubscription(
            "ledger.catalogue", (PlanVersionActivated, ProfilePublished), _on_catalogue
        ),
    ]


async def _on_supply(conn: AsyncConnection, event: SupplyReported, _meta: Meta) -> None:
    await note.note_supply(conn, event)


async def _on_catalogue(
    conn: AsyncConnection, event: PlanVersionActivated | ProfilePublished, _meta: Meta
) -> None:
    if isinstance(event, PlanVersionActivated):
        await note.note_plan_version(conn, event)
    else:
        await note.note_profile(conn, event)
