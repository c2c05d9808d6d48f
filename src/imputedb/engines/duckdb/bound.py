"""The limit on the depth of expressions on a connection."""

from dataclasses import dataclass

SETTING = "max_expression_depth"


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit on the depth of expressions.

    Attributes:
        depth: the number of levels.
        is_own: whether it is set for the session, and not globally.
    """

    depth: int
    is_own: bool

    @property
    def setting(self) -> str:
        """The statement that sets the limit for the session, or resets it to the global one."""
        return f"SET SESSION {SETTING} = {self.depth}" if self.is_own else f"RESET SESSION {SETTING}"
