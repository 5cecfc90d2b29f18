"""`npms-payments run | api | worker | migrate | restored | tell-again | parked …`"""

from npms_payments.bootstrap import build
from npms_payments.settings import PaymentsSettings
from npms_shared.cli import make_cli

app = make_cli(PaymentsSettings, build, help_text="Top-ups: vouchers, providers, suspense.")

if __name__ == "__main__":
    app()
