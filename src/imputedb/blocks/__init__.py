"""The blocks of a statement: planned ones, and tables that are completed at their scans."""
