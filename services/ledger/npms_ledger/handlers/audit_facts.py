"""What the audit trail says of an account."""

from npms_ledger.domain.account import Account
from npms_shared.db.audit_trail import Facts


def of_account(account_id: int) -> str:
    return f"account:{account_id}"


def money_of(account: Account) -> Facts:
    """Where an account's money lies, in micro-units."""
    position = account.position
    return {
        "balance_micro": position.balance_micro,
        "debt_micro": position.debt_micro,
        "emergency_used_micro": position.emergency_used_micro,
        "granted_micro": position.grant_micro,
    }
