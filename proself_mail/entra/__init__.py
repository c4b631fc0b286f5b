"""A tenant of Microsoft Entra ID: who we are to it, and what is asked of its directory."""
