"""What a service refuses to do, beside what cannot be done.

```text
Error
└── Refusal             the service does not do this, or not now
    ├── Unauthenticated   nobody is known by this credential
    ├── Forbidden         the caller's role may not do it
    ├── NotFound          there is nothing of this name
    ├── TooLarge          the request is larger than is read
    ├── TooMany           the caller has asked too often
    ├── Overloaded        all workers are busy, and the queue is full
    ├── Overdue           it took longer than it may
    └── Cancelled         the caller has gone, or has asked for the end
```
"""

from imputedb.errors import Error


class Refusal(Error):
    """What a service does not do, or not now.

    Attributes:
        status: of HTTP.
        state: the SQLSTATE of PostgreSQL.
        retry_after: seconds after which asking again may help; None where it does not.
    """

    status = 400
    state = "XX000"

    def __init__(self, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unauthenticated(Refusal):
    """Nobody is known by the credential that was given, or none was."""

    status = 401
    state = "28000"


class Forbidden(Refusal):
    """The caller's role may not do it."""

    status = 403
    state = "42501"


class NotFound(Refusal):
    """There is nothing of this name."""

    status = 404
    state = "42704"


class TooLarge(Refusal):
    """The request is larger than is read."""

    status = 413
    state = "54000"


class TooMany(Refusal):
    """The caller has asked too often."""

    status = 429
    state = "53400"


class Overloaded(Refusal):
    """All workers are busy, and the queue is full; or the service is about to end."""

    status = 503
    state = "53300"


class Overdue(Refusal):
    """It took longer than it may."""

    status = 504
    state = "57014"


class Cancelled(Refusal):
    """The caller has gone, or has asked for the end."""

    status = 499
    state = "57014"
