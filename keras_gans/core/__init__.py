"""Base of all variants: training step, losses, penalties, augmentation."""
