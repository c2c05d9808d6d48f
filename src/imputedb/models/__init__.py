"""Kept models: what an imputer has learnt, as a pure function of one row."""
