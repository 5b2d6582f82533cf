"""The error that says what is wrong with a formula, and where."""


class FormulaError(ValueError):
    """A text that is not a formula: ``text``, ``position`` (column from 0, or None), ``reason``, ``hint``."""

    def __init__(self, text: str, position: int | None, reason: str, hint: str = "") -> None:
        super().__init__(text, position, reason, hint)
        self.text, self.position, self.reason, self.hint = text, position, reason, hint

    def __str__(self) -> str:
        start = max(0, min((self.position or 0) - 40, len(self.text) - 72))
        before, after = "…" * (start > 0), "…" * (start + 72 < len(self.text))
        shown = "".join(c if c.isprintable() else "�" for c in self.text[start : start + 72])
        caret = [] if self.position is None else [" " * (len(before) + self.position - start) + "^"]
        place = [f"{before}{shown}{after}", *caret] if self.text else []
        return "\n".join([*place, self.reason, *([self.hint] if self.hint else [])])
