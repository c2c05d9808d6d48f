"""Tables of PostgreSQL, MySQL, MariaDB, SQLite, Delta Lake and Iceberg, read by packages for these systems."""
