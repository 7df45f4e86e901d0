"""The one port: what the first bytes of a connection say decides who speaks on it."""
