"""Completed data sets: m of them written as files, analysed one by one, pooled."""
