"""What the first top-up of a month pays: fixed charges that are not rated."""

from npms_tariff.domain.plan import Prices
from npms_tariff.domain.tariff import PPM


def vend_charges(prices: Prices) -> list[tuple[str, int, int]]:
    """(name, amount micro without tax, tax micro) of each; every tax on it is rounded down."""
    return [
        (
            fixed.name,
            fixed.amount_micro,
            sum(fixed.amount_micro * t.rate_ppm // PPM for t in prices.taxes if fixed.name in t.on),
        )
        for fixed in prices.fixed
        if fixed.first_vend
    ]
