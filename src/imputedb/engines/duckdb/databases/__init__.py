"""Tables of PostgreSQL, MySQL, MariaDB, SQLite, Delta Lake and Iceberg, read by packages that know them."""
