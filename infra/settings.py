"""The stack's configuration, read inside a Pulumi program.

`proself_mail.settings` validates it; here it only comes from Pulumi, and goes back to it as an
error that is shown without a traceback.
"""

import pulumi
from pulumi.runtime.config import get_config_env

from proself_mail import settings
from proself_mail.errors import Error


def load() -> settings.Settings:
    """Return this stack's settings. Raises `pulumi.RunError` where they cannot be used."""
    stack = pulumi.get_stack()
    try:
        values = {}
        for key, value in get_config_env().items():
            namespace, _, name = key.partition(":")
            settings.check_namespace(namespace, key, stack)
            if namespace == settings.PROJECT:
                values[name] = value
        return settings.parse(values, stack)
    except Error as error:
        raise pulumi.RunError(str(error)) from error
