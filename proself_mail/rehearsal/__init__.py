"""The main job on this machine: an embedded tenant, a Pulumi beside it, the steps played."""
