"""Answers to statements: a text prepared, its blocks run, its rows given back."""
