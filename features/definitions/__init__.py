"""Definitions of the signals, one TOML file a family; `features.registry.Signal` says what each key means."""
