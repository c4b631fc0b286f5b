"""What a person enters into Proself, and the file that says it."""
