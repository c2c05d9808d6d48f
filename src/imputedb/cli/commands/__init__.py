"""The subcommands of `imputedb`, one module for each group."""
