"""Acts on and observes what `infra/` declares: the operations behind `proself-mail`."""
