"""The algebra of queries: columns, scalar expressions, relations, and the query that they come from."""
