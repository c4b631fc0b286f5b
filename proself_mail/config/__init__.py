"""A stack's configuration: its keys, the forms of their values, and how it is mended."""
