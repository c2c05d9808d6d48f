"""The subcommands of `imputedb`, a module a group."""
