"""A second, small Pulumi project: the identity that a pipeline signs in with."""
