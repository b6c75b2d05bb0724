"""Variants: one module each, its idea, its paper, its losses."""
