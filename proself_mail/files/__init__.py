"""Files as this product writes them: whole or not at all, private where they must be."""
