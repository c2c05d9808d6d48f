"""DuckDB, embedded: the engine that imputedb comes with."""
