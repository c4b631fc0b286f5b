"""What a refused mail or sign-in means, from a text that a person pastes or a server answers."""
