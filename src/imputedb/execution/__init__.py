"""Execution of plans: the engine up to each blocking Impute, the imputer, and the engine again."""
