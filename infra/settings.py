"""The stack's configuration, read inside a Pulumi program.

`proself_mail.config.configuration` validates it; here it only comes from Pulumi, and goes back to
it as an error that is shown without a traceback.
"""

from pulumi.runtime.config import get_config_env

from infra import operation
from infra.made import Made
from proself_mail import clock
from proself_mail.config import configuration
from proself_mail.config.configuration import Standing
from proself_mail.config.settings import PROJECT, Settings
from proself_mail.config.stack_name import file_name


def load(stack: str, made: Made | None) -> Settings:
    """Return the settings of the stack of this name. Raises `pulumi.RunError` without usable ones.

    `made` is what is there already; where it is None, whose UUID they have is not looked at.
    """
    with operation.without_traceback():
        values = {}
        for key, value in get_config_env().items():
            namespace, _, name = key.partition(":")
            configuration.check_namespace(namespace, key, stack)
            if namespace == PROJECT:
                values[name] = value
        if not values and _standing(stack).is_set_up:
            raise configuration.lost(stack, file_name(stack))
        found = configuration.parse(values, stack, lambda: _standing(stack))
        if made is not None:
            # One that is set up is its UUID's owner, whatever lies beside its file.
            beside = None if made.application_id else operation.stack_files()
            made.check_identity(found, stack, beside)
        return found


def _standing(stack: str) -> Standing:
    """Say what the state tells about what the configuration should be."""
    made = Made.read(stack)
    if made is None:
        return Standing(clock.now(), None, None)
    is_set_up = bool(made.application_id or made.ends)
    return Standing(clock.now(), is_set_up, made.stack_id)
