"""Terminal output of commands: progress bars, durations in words."""
