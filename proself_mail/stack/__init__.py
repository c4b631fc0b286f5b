"""One Pulumi stack: its project, files, state and outputs, and the engine that changes it."""
