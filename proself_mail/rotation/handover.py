"""`proself-mail handover`: let a pipeline's identity look after a stack.

It writes the stack file and nothing else: the identity joins `owners`, and the consent becomes a
person's to give, because that identity may not. The `up` that carries it out is a person's, who
owns the application; a grant that was made stays (docs/adr/0020).
"""

from pathlib import Path
from uuid import UUID

from proself_mail.config.settings import Consent
from proself_mail.entra import session
from proself_mail.entra.directory import NotFound
from proself_mail.errors import CheckFailed, ConfigurationError
from proself_mail.stack import stack_folder
from proself_mail.stack.stack import Stack


async def run(name: str, project: Path, object_id: str) -> str | None:
    """Write the identity into a stack's configuration; return its file, or None for no change.

    `object_id` is the service principal's (`objectId` of `infra/pipeline`), and the tenant is asked
    whether it is one. Raises `CheckFailed` where it is not, and `Refused` where another command
    works on the stack or the file is another stack's.
    """
    try:
        identity = UUID(object_id)
    except ValueError as error:
        raise ConfigurationError(
            f"{object_id!r} is not an object id.",
            "`pulumi -C infra/pipeline stack output objectId --stack NAME` prints it, NAME being "
            "the stack of the pipeline's identity.",
        ) from error
    stack = Stack(name, project)
    # A rotation that comes to nothing puts the file back as it was before, without this change.
    with stack_folder.alone(project, name):
        return await _change(stack, identity)


async def _change(stack: Stack, identity: UUID) -> str | None:
    settings, _ = await session.read(stack, covered=True)
    async with session.sign_in(settings.target, str(settings.tenant_id)) as opened:
        try:
            await opened.directory.service_principal_by_id(str(identity))
        except NotFound as error:
            raise CheckFailed(
                f"{identity} is no service principal of the tenant {settings.tenant_id}; a client "
                "ID or an application's object id would not do.",
                "`pulumi -C infra/pipeline stack output objectId --stack NAME` prints the right "
                "one, NAME being the stack of the pipeline's identity. If somebody deleted that "
                "identity, `pulumi -C infra/pipeline up --refresh --stack NAME` makes it anew "
                "first.",
            ) from error
    changes: dict[str, str] = {}
    if identity not in settings.owners:
        changes[f"owners[{len(settings.owners)}]"] = str(identity)
    if settings.consent is not Consent.BY_ADMINISTRATOR:
        changes["consent"] = Consent.BY_ADMINISTRATOR
    if not changes:
        return None
    await stack.engine.awaited(lambda: stack.configure(changes))
    return stack.file_shown
