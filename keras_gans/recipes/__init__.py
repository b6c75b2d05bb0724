"""Recipes: from TOML to a checked configuration and a compiled model."""
