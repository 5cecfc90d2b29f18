"""What a command could not do, in one sentence, and what to do about it."""


class CommandError(Exception):
    """Said on stderr, with exit status 1."""

    def __init__(self, sentence: str, *, advice: str = "") -> None:
        super().__init__(sentence)
        self.sentence, self.advice = sentence, advice

    def __str__(self) -> str:
        return "\n".join(self.parts())

    def parts(self) -> list[str]:
        """The lines that are shown."""
        return [self.sentence, *([f"what to do: {self.advice}"] if self.advice else [])]
