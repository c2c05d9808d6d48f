"""Errors by which a service refuses a request.

```text Error └── Refusal             the service refuses a request ├── Unauthenticated   the credential is missing or
unknown ├── Forbidden         the caller's role does not permit it ├── NotFound          the name is unknown ├──
TooLarge          the request exceeds a size limit ├── TooMany           the caller has used up the rate limit ├──
Overloaded all workers are busy, and the queue is full ├── Overdue           the request exceeded its time limit └──
Cancelled the caller has disconnected or cancelled ```
"""

from imputedb.errors import Error


class Refusal(Error):
    """A request that the service refuses, for good or for now.

    Attributes:
        status: HTTP status code.
        state: SQLSTATE of PostgreSQL.
        retry_after: seconds after which a retry may succeed; None where it cannot.
    """

    status = 400
    state = "XX000"

    def __init__(self, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unauthenticated(Refusal):
    """A missing or unknown credential."""

    status = 401
    state = "28000"


class Forbidden(Refusal):
    """A request that the caller's role does not permit."""

    status = 403
    state = "42501"


class NotFound(Refusal):
    """A name that nothing has."""

    status = 404
    state = "42704"


class TooLarge(Refusal):
    """A request that is larger than the limit."""

    status = 413
    state = "54000"


class TooMany(Refusal):
    """A caller that has used up the rate limit."""

    status = 429
    state = "53400"


class Overloaded(Refusal):
    """A service whose workers and queue are full, or that is about to end."""

    status = 503
    state = "53300"


class Overdue(Refusal):
    """A request that took longer than its time limit."""

    status = 504
    state = "57014"


class Cancelled(Refusal):
    """A request whose caller has disconnected or cancelled it."""

    status = 499
    state = "57014"
