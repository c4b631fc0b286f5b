"""`proself-mail config`: render a stack's Proself config file again.

Made from the stack's configuration and state alone; the tenant is not asked.
"""

from pathlib import Path

from proself_mail import clock
from proself_mail.config.mending import config_rm
from proself_mail.config.settings import Settings
from proself_mail.errors import ConfigurationError
from proself_mail.proself import proself_file
from proself_mail.proself.proself import ProselfConfig
from proself_mail.stack import carried_out
from proself_mail.stack.outputs import check_newest, outputs_of
from proself_mail.stack.project import CHECKOUT
from proself_mail.stack.stack import Stack


async def render(name: str, project: Path, *, with_secret: bool) -> ProselfConfig:
    """Return what a stack's file holds, without `with_secret` with the secret covered.

    Raises `ConfigurationError` where nothing was set up yet, or the configuration cannot be used or
    was changed and not carried out; `Refused` where it is another stack's; and `CheckFailed` where
    the secret has ended, which nobody should enter in Proself.
    """
    config, _ = await _made(name, project, with_secret=with_secret)
    return config if with_secret else config.without_secret()


async def write(name: str, project: Path) -> Path:
    """Write the file where the stack has it, as `up` does; return where.

    Raises as `render`, as `proself_file.write`, and `ConfigurationError` where it has none.
    """
    config, settings = await _made(name, project, with_secret=True)
    path = settings.config_file_path(name, CHECKOUT)
    if path is None:
        raise ConfigurationError(
            "This stack writes no Proself config file (`configFile` is none).",
            f"`{config_rm(name, 'configFile')}` gives it its usual place; or leave --write out to "
            "see it.",
        )
    elsewhere = proself_file.another_place(name)
    proself_file.check_writable(path, settings, elsewhere)
    proself_file.write(path, config, elsewhere)
    return path


async def _made(name: str, project: Path, *, with_secret: bool) -> tuple[ProselfConfig, Settings]:
    settings, state = await Stack(name, project).read()
    outputs = outputs_of(state, name)
    carried_out.check(name, settings, state)
    if with_secret:
        check_newest(outputs, name, clock.now())
    return ProselfConfig.of(settings, outputs.client_id, outputs.newest), settings
