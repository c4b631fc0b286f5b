"""A Pulumi program for the tests of the stand-in azuread plugin."""
