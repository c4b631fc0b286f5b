"""Get what a rehearsal needs and no Python lock can pin: uv and the Pulumi CLI."""
