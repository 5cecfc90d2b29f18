"""What the first top-up of a month pays: fixed charges that are not rated."""

from npms_tariff.domain.plan import Prices
from npms_tariff.domain.tariff import PPM


def vend_charges(prices: Prices) -> list[tuple[str, int, int]]:
    """(name, amount micro without tax, tax micro) of each; every tax on it is rounded down."""
    return [
        (
            one.name,
            one.amount_micro,
            sum(one.amount_micro * t.rate_ppm // PPM for t in prices.taxes if one.name in t.on),
        )
        for one in prices.fixed
        if one.first_vend
    ]
