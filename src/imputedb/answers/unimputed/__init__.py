"""Answers without imputed cells: doubly robust estimates, maximum likelihood, and bounds."""
