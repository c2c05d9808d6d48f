"""Engines, which store tables and run statements."""
