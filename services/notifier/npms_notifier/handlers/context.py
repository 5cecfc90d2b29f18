"""What the use cases need besides an open connection; put together by bootstrap.py."""

from dataclasses import dataclass, field

from npms_notifier.domain.deliveries import Pace, RetryPolicy
from npms_notifier.domain.quiet_hours import QuietHours
from npms_notifier.templates.rendering import Renderer
from npms_shared.clock import Clock
from npms_shared.db.engine import Database


@dataclass(frozen=True, slots=True)
class Context:
    database: Database
    clock: Clock
    renderer: Renderer
    retries: RetryPolicy
    pace: Pace
    code_pepper: bytes = field(repr=False)
    quiet_hours: QuietHours | None = None
