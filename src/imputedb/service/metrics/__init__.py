"""Metrics of a service in the format of Prometheus, without any value of the data."""
