"""Command line: flags, help, exit status, and commands in child processes."""
