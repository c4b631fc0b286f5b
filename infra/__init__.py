"""The Pulumi program: declares Proself's mail application, and does nothing else."""
