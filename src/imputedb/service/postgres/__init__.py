"""The Postgres door: PostgreSQL's protocol 3.0, for its clients."""
