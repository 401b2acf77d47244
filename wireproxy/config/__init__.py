"""The one TOML file: its model, its loader and its errors."""
