"""imputedb in a terminal."""
