"""`npms-ledger run | api | worker | migrate | check-config | invariants | parked …`"""

from npms_ledger.bootstrap import build
from npms_ledger.settings import LedgerSettings
from npms_shared.cli import make_cli

app = make_cli(
    LedgerSettings,
    build,
    help_text="Accounts, journal, credit policy and the desired supply state.",
)

if __name__ == "__main__":
    app()
