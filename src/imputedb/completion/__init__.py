"""Completed data sets: m copies of a table or query without missing values, written as files, analysed and pooled."""
