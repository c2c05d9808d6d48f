"""DuckDB, embedded: the engine that comes with imputedb."""
