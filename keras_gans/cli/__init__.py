"""Command line: flags, help, exit status, commands in child processes."""
