"""The page: a web interface to a database. It needs the extra `imputedb[ui]`."""
