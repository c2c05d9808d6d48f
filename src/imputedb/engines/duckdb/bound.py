"""How deep expressions may be on a connection."""

from dataclasses import dataclass

SETTING = "max_expression_depth"


@dataclass(frozen=True, slots=True)
class Bound:
    """How deep expressions may be.

    Attributes:
        depth: in levels.
        is_own: whether that was set for the session, and not for all of them.
    """

    depth: int
    is_own: bool

    @property
    def setting(self) -> str:
        """The statement that sets it for the session, or lets it have what all have."""
        return f"SET SESSION {SETTING} = {self.depth}" if self.is_own else f"RESET SESSION {SETTING}"
