"""Spark, over Spark Connect: the engine for tables beyond one machine."""
