"""The contact of a meter's relay: it moves when it is told to, a little later, or not at all."""

from dataclasses import dataclass

FOR_EVER_S = 0xFFFFFFFF


@dataclass(slots=True)
class Contact:
    """`is_closed` is where the contact stands; times are in business milliseconds.

    With `needs_button` a command to close only arms it: whoever lives there presses the button.
    """

    is_closed: bool = True
    moves_in_ms: int = 0
    needs_button: bool = False
    is_armed: bool = False
    due: tuple[int, bool] | None = None
    """When it moves, and where to."""

    def command(self, at_ms: int, *, closed: bool) -> None:
        """Told to move; a later command takes the place of one not yet carried out."""
        self.due = None
        if closed and self.needs_button and not self.is_closed:
            self.is_armed = True
            return
        self.is_armed = False
        self._move_at(at_ms + self.moves_in_ms, closed=closed)
        self.pass_time(at_ms)

    def open_for(self, at_ms: int, seconds: int) -> None:
        """Open at once, and close again by itself; FOR_EVER_S stays open, 0 closes."""
        self.command(at_ms, closed=seconds == 0)
        if 0 < seconds < FOR_EVER_S:
            self.is_closed = False
            self._move_at(at_ms + seconds * 1000, closed=True)

    def press_button(self) -> None:
        """What the customer does when told that supply may return."""
        if self.is_armed:
            self.set_by_hand(closed=True)

    def set_by_hand(self, *, closed: bool) -> None:
        self.is_closed, self.is_armed, self.due = closed, False, None

    def pass_time(self, to_ms: int) -> None:
        """Carry out what is due by then."""
        if self.due is not None and self.due[0] <= to_ms:
            self.is_closed, self.due = self.due[1], None

    def next_move_ms(self) -> int | None:
        return None if self.due is None else self.due[0]

    def _move_at(self, at_ms: int, *, closed: bool) -> None:
        self.due = (at_ms, closed)
