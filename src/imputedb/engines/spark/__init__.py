"""Spark, over Spark Connect: the engine of what is past one machine."""
