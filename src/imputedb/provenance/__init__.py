"""Provenance of imputed cells: the rows that an imputed value comes from, and how much they agree."""
