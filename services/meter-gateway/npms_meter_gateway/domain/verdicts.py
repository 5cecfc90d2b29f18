"""What each verdict on a reading means, in words for whoever sent it."""

from collections.abc import Mapping

from npms_meter_gateway.domain.validation import Verdict

WORDS: Mapping[Verdict, str] = {
    Verdict.ACCEPTED: "stored",
    Verdict.UNCHANGED: "nothing new: the register stands where it stood, within its jitter",
    Verdict.DUPLICATE: "nothing new: this reading was stored before",
    Verdict.CONFLICT: "another register is stored for the same moment",
    Verdict.BACKWARDS: "the register is below the last accepted one",
    Verdict.JUMP: "the register moved further than the fuse allows in the time since the last one",
    Verdict.LATE: "a later reading is stored already",
    Verdict.FUTURE: "the moment is ahead of our clock",
    Verdict.CLOSED: "the meter does not serve this installation any more",
    Verdict.OUT_OF_RANGE: "no register counts that far",
    Verdict.FOREIGN_METER: "another meter than the one installed may have answered",
    Verdict.UNKNOWN_INSTALLATION: "there is no such installation",
    Verdict.POLLED_METER: "the meter is read by us; not kept",
    Verdict.UNKNOWN_SERIAL: "no installation has, or had, a meter of this serial; not kept",
}
