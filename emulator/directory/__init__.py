"""What a tenant holds: objects with their recent versions, schema, replicas, first contents."""
