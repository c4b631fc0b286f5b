"""What `proself-mail up` tells the program through the environment of the engine between them."""

DRIVER = "PROSELF_MAIL_UP"
"""The process id of the `proself-mail` that drives the engine, and that writes the config file
itself, after proof."""

ADOPT = "PROSELF_MAIL_ADOPT"
"""What an earlier run made that reached no state: a JSON object of ids by resource name."""
