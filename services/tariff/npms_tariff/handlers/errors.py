"""Why something is refused."""


class Refused(Exception):
    """What was asked for cannot be done; `code` says why."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


class PlanExists(Exception):
    def __init__(self, plan_code: str) -> None:
        super().__init__(plan_code)
        self.plan_code = plan_code


class UnknownPlan(Exception):
    """There is no such plan, or it has no version or draft of that number."""

    def __init__(self, plan_code: str) -> None:
        super().__init__(plan_code)
        self.plan_code = plan_code


class AlreadyActivated(Exception):
    """A version in force is never changed."""


class DraftWithdrawn(Exception):
    pass


class UnknownHold(Exception):
    pass


class HoldReleased(Exception):
    """A hold is released once."""


class UnknownCorrection(Exception):
    pass


class CorrectionDecided(Exception):
    """It was approved or rejected before."""


class CorrectionRefused(Refused):
    """It cannot be worked out."""


class NotClosedYet(Exception):
    """A meter is to go on where another stood whose closing has not come yet."""

    def __init__(self, installation_id: int) -> None:
        super().__init__(f"installation {installation_id} is not closed yet")
        self.installation_id = installation_id


class NotOpenedYet(Exception):
    """Something is to be done with an installation whose opening has not come yet."""

    def __init__(self, installation_id: int) -> None:
        super().__init__(f"installation {installation_id} is not opened yet")
        self.installation_id = installation_id
