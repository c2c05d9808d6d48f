"""PostgreSQL's catalog of a served database."""
