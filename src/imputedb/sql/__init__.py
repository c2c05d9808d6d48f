"""Text to algebra and back. Everything that knows the shape of DuckDB's JSON trees is in here."""
