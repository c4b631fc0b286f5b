"""`rotate` and `handover`: new client secrets when their time comes, spent ones away."""
