"""The admin interface: its port, what it reads, what it plants."""
