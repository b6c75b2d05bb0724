"""What a person reads while a command works: progress bars, durations in words."""
