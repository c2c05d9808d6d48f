"""A service over one database: it admits, limits, answers and records the requests of many callers."""
