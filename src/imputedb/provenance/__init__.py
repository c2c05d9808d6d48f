"""Provenance of imputed cells: the donors of an imputed value, and how much they agree."""
