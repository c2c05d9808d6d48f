"""Nearest neighbours over mixed columns with missing values: distances, exact and partitioned search, imputation."""
