"""The HTTP door: JSON and Arrow, problems as RFC 9457 has them."""
