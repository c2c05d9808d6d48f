"""Translation of SQL text to algebra and back. Only this package knows the structure of DuckDB's JSON syntax trees."""
