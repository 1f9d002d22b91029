"""The configuration: one TOML file read once into frozen models."""
