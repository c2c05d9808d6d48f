"""Rows that are near each other: distances over mixed columns with gaps, exact and partitioned search, what is told."""
