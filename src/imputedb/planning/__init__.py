"""Choosing a plan: it sees queries, statistics and imputers' prices, never an engine."""
