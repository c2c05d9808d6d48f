"""Kept models: what an imputer has learnt from a table, fitted once, a pure function of one row."""
