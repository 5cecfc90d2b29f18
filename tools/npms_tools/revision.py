"""`npms revision`: the file of a service's next migration, to be filled in by hand."""

import re
from typing import Annotated

import typer

from npms_tools.stack.errors import StackError
from npms_tools.stack.local import WORKSPACE
from npms_tools.stack.services import SERVICES, package_of

TEMPLATE = '''"""{subject}"""

from alembic import op

revision = "{number:04}"
down_revision = "{before:04}"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
'''


def revision(
    service: Annotated[str, typer.Argument(help=f"one of {', '.join(SERVICES)}")],
    subject: Annotated[str, typer.Argument(help="what it does, in a few words")],
) -> None:
    """Begin a service's next migration; it must go with the version that is running."""
    if service not in SERVICES:
        raise StackError(f"no such service: {service!r}", advice=f"SERVICE={'|'.join(SERVICES)}")
    if not subject.strip():
        raise StackError("a migration needs a subject", advice='M="add the column"')
    folder = WORKSPACE / "services" / service / package_of(service) / "migrations" / "versions"
    before = max((int(file.name[:4]) for file in folder.glob("[0-9]*_*.py")), default=0)
    name = re.sub(r"[^a-z0-9]+", "_", subject.lower()).strip("_")
    file = folder / f"{before + 1:04}_{name}.py"
    file.write_text(TEMPLATE.format(subject=subject, number=before + 1, before=before))
    typer.echo(file.relative_to(WORKSPACE))
