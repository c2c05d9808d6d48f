"""How many examples a property is tried on."""

import os


def examples(usual: int) -> int:
    """Examples of a property: so many in a usual run, and IMPUTEDB_EXAMPLES of them where that is set."""
    return int(os.environ.get("IMPUTEDB_EXAMPLES", usual))
