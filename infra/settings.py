"""The stack's configuration, read inside a Pulumi program.

`proself_mail.settings` validates it; here it only comes from Pulumi, and goes back to it as an
error that is shown without a traceback.
"""

import pulumi
from pulumi.runtime.config import get_config_env

from infra import operation, policy
from proself_mail import settings


def load() -> settings.Settings:
    """Return this stack's settings. Raises `pulumi.RunError` where they cannot be used."""
    stack = pulumi.get_stack()
    with operation.without_traceback(stack):
        values = {}
        for key, value in get_config_env().items():
            namespace, _, name = key.partition(":")
            settings.check_namespace(namespace, key, stack)
            if namespace == settings.PROJECT:
                values[name] = value
        if not values and _is_set_up(stack):
            raise settings.lost(stack, settings.file_name(stack))
        return settings.parse(values, stack)


def _is_set_up(stack: str) -> bool:
    """Say whether the state holds an application or secrets; not where the engine cannot tell."""
    made = policy.Made.read(stack)
    return made is not None and bool(made.application_id or made.ends)
