"""Numbers by which ESPI names things (NAESB REQ.21, from IEC 61968-9 and ISO 4217)."""

from dataclasses import dataclass

ACCUMULATION_DELTA = 4
DATA_QUALIFIER_NORMAL = 12
FLOW_FORWARD = 1
KIND_ENERGY, KIND_VOLUME = 12, 58
QUALITY_RAW, QUALITY_VALIDATED = 14, 17
"""An hour that is still running, and one that was rated to its end."""
UOM_WH, UOM_CUBIC_METRE = 72, 42


@dataclass(frozen=True, slots=True)
class Commodity:
    """`service` is the kind of a service category; values count `power_of_ten` of the unit."""

    service: int
    commodity: int
    kind: int
    uom: int
    power_of_ten: int


ELECTRICITY = Commodity(0, 1, KIND_ENERGY, UOM_WH, 0)
COMMODITIES = {
    "electricity": ELECTRICITY,
    "gas": Commodity(1, 7, KIND_VOLUME, UOM_CUBIC_METRE, -3),
    "water": Commodity(2, 9, KIND_VOLUME, UOM_CUBIC_METRE, -3),
    "heat": Commodity(5, 12, KIND_ENERGY, UOM_WH, 0),
}
"""Base units are Wh, or litres (cubic decimetres): a thousandth of a cubic metre."""

CURRENCIES = {
    "AED": 784, "AFN": 971, "ALL": 8, "AMD": 51, "AOA": 973, "ARS": 32, "AUD": 36, "AZN": 944,
    "BAM": 977, "BDT": 50, "BHD": 48, "BIF": 108, "BND": 96, "BOB": 68, "BRL": 986, "BWP": 72,
    "BYN": 933, "CAD": 124, "CDF": 976, "CHF": 756, "CLP": 152, "CNY": 156, "COP": 170,
    "CRC": 188, "CVE": 132, "CZK": 203, "DJF": 262, "DKK": 208, "DOP": 214, "DZD": 12, "EGP": 818,
    "ERN": 232, "ETB": 230, "EUR": 978, "FJD": 242, "GBP": 826, "GEL": 981, "GHS": 936,
    "GMD": 270, "GNF": 324, "GTQ": 320, "GYD": 328, "HKD": 344, "HNL": 340, "HTG": 332,
    "HUF": 348, "IDR": 360, "ILS": 376, "INR": 356, "IQD": 368, "IRR": 364, "ISK": 352,
    "JMD": 388, "JOD": 400, "JPY": 392, "KES": 404, "KGS": 417, "KHR": 116, "KMF": 174,
    "KRW": 410, "KWD": 414, "KZT": 398, "LAK": 418, "LBP": 422, "LKR": 144, "LRD": 430,
    "LSL": 426, "LYD": 434, "MAD": 504, "MDL": 498, "MGA": 969, "MKD": 807, "MMK": 104,
    "MNT": 496, "MRU": 929, "MUR": 480, "MVR": 462, "MWK": 454, "MXN": 484, "MYR": 458,
    "MZN": 943, "NAD": 516, "NGN": 566, "NIO": 558, "NOK": 578, "NPR": 524, "NZD": 554,
    "OMR": 512, "PAB": 590, "PEN": 604, "PGK": 598, "PHP": 608, "PKR": 586, "PLN": 985,
    "PYG": 600, "QAR": 634, "RON": 946, "RSD": 941, "RUB": 643, "RWF": 646, "SAR": 682, "SBD": 90,
    "SCR": 690, "SDG": 938, "SEK": 752, "SGD": 702, "SLE": 925, "SOS": 706, "SRD": 968,
    "SSP": 728, "STN": 930, "SZL": 748, "THB": 764, "TJS": 972, "TMT": 934, "TND": 788,
    "TOP": 776, "TRY": 949, "TTD": 780, "TWD": 901, "TZS": 834, "UAH": 980, "UGX": 800,
    "USD": 840, "UYU": 858, "UZS": 860, "VND": 704, "VUV": 548, "WST": 882, "XAF": 950,
    "XCD": 951, "XOF": 952, "XPF": 953, "YER": 886, "ZAR": 710, "ZMW": 967,
}  # fmt: skip
"""Numeric codes of ISO 4217; a cost in any other currency is left out of a feed."""
