"""One rule a file, each a function from snapshots to a result."""

from npms_operations.audit.proof import Check
from npms_operations.audit.rules.adjustments import check_adjustments
from npms_operations.audit.rules.balances import check_balances
from npms_operations.audit.rules.charges import check_charges
from npms_operations.audit.rules.debts_and_grants import check_credits
from npms_operations.audit.rules.held import check_held
from npms_operations.audit.rules.journals import check_journals
from npms_operations.audit.rules.money_in import check_money_in
from npms_operations.audit.rules.payments import check_payments
from npms_operations.audit.rules.readings import check_readings
from npms_operations.audit.rules.registers import check_registers
from npms_operations.audit.rules.seals import check_seals
from npms_operations.audit.rules.supplies import check_supplies

CHECKS: tuple[Check, ...] = (
    check_journals,
    check_seals,
    check_balances,
    check_credits,
    check_registers,
    check_charges,
    check_adjustments,
    check_readings,
    check_held,
    check_payments,
    check_money_in,
    check_supplies,
)
