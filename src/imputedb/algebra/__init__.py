"""What a query means: columns, scalars, relations, and the query they come from."""
