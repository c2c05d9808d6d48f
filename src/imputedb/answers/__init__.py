"""Answers to statements: a text is prepared, its blocks are run, and its rows are returned."""
