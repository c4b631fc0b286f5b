"""Entra's sign-in service: discovery, pages, tokens, refusals."""
