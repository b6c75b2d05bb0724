"""Base of every variant: training step, losses, penalties, augmentation."""
