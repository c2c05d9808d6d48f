"""Pooled estimates beside those of mice, on the tables that come with it."""
