"""The version of imputedb."""

__version__ = "0.1.0"
