"""`teardown` and `sweep`: what is ours in a tenant, and how it is taken out."""
