"""Microsoft Graph: each collection's calls, who may make them, what may be written."""
