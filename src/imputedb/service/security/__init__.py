"""Security: credentials, roles, rate limits, and the check that statements only read."""
