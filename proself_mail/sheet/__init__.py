"""The setup sheet: what a person does, from an application to Proself's first mail."""
