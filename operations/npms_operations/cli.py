"""`npms-operations`: the operator's commands, on any installation."""

import sys

from npms_operations.command_line import Commands, run

COMMANDS: Commands = {
    "audit": ("npms_operations.audit.cli:audit", "Prove that money and energy were conserved"),
    "why": (
        "npms_operations.why.cli:app",
        "Why a charge, balance, cut or top-up is as it is",
    ),
    "cuts": ("npms_operations.cuts:cuts", "Who would be cut in the next hours, and what avoids it"),
    "parked": ("npms_operations.parked:app", "List, show, replay or drop parked messages"),
    "plan": ("npms_operations.plan.cli:app", "Check, import or simulate a plan in a file"),
    "meter": (
        "npms_operations.meter.cli:app",
        "Recognise a meter at an address, or read it",
    ),
    "profile": ("npms_operations.profile.cli:app", "Check a meter profile in a file, or list them"),
    "topology": ("npms_operations.topology.cli:topology", "Users, rights and queues for RabbitMQ"),
}


def app() -> None:
    """The entry point."""
    run(COMMANDS, "What operators of NPMS ask and do.", sys.argv[1:])
