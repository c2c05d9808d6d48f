"""Answers without imputation: doubly robust estimates, maximum likelihood, and bounds."""
