"""Which number a meter tells of itself that was installed under this name."""


def number_given(serial: str) -> str | None:
    """As the meter's register has it: digits without leading zeros.

    None for a name with anything else in it, which a utility may have given of its own.
    """
    return str(int(serial)) if serial.isascii() and serial.isdigit() else None
