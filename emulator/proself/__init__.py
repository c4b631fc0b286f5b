"""A model of Proself's mail screens, which sign in and send as Proself does."""
