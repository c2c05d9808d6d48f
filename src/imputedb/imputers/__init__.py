"""Filling values in: what an imputer must do, and those that come with imputedb."""
