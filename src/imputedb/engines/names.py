"""Names that are ours in a user's database."""

SCHEMA = "imputedb"
"""Of the schema that holds declared missing values, policies, models and statistics."""

PREFIX = "imputedb_"
"""Of the names of all temporary tables and views of ours."""

OURS = rf"{PREFIX}((block|copy|rows|view)_\d+|models)"
"""The pattern of the names of all of them, which are in the catalog of temporary ones."""
