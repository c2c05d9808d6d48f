"""Chained equations: one model a column, drawn column after column until the draws have settled."""
