"""The zoo's recipes, one TOML file an entry."""
