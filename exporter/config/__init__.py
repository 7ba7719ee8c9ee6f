"""From config.toml to frozen values: `settings` for the edges, `core.slo` for the core."""
