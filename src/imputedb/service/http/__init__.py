"""The HTTP interface: JSON and Arrow, errors as problem documents (RFC 9457)."""
