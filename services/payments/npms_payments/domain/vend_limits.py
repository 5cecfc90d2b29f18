"""How much may be bought at once, and how full an account may become, as the ledger told.

Money is refused before it is taken, so that it must be judged by what is known here: the balance
that the ledger last told, and what has arrived since and is not yet credited. Use in between makes
the balance smaller, and part of a top-up may go to debt: what passes here stays below.
"""

from dataclasses import dataclass

from npms_payments.domain.errors import VendRefused


@dataclass(frozen=True, slots=True)
class VendLimits:
    """Micro-units; None is no limit."""

    minimum_micro: int | None = None
    maximum_micro: int | None = None
    max_balance_micro: int | None = None


def check_vend(amount_micro: int, limits: VendLimits, *, balance_micro: int) -> None:
    """Raises VendRefused: `below_minimum`, `above_maximum`, `balance_above_maximum`.

    `balance_micro` is the last known balance with everything that is on its way to it.
    """
    if limits.minimum_micro is not None and amount_micro < limits.minimum_micro:
        raise VendRefused("below_minimum", limit_micro=limits.minimum_micro)
    if limits.maximum_micro is not None and amount_micro > limits.maximum_micro:
        raise VendRefused("above_maximum", limit_micro=limits.maximum_micro)
    if limits.max_balance_micro is None:
        return
    if balance_micro + amount_micro > limits.max_balance_micro:
        room_micro = max(0, limits.max_balance_micro - balance_micro)
        raise VendRefused(
            "balance_above_maximum", limit_micro=limits.max_balance_micro, room_micro=room_micro
        )
