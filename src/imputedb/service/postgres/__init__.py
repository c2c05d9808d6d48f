"""The Postgres interface: protocol 3.0 of PostgreSQL, for its clients."""
