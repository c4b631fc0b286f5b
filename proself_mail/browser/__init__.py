"""Where this program meets a person's browser: pages on loopback, for one user only."""
