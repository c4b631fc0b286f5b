"""The tenant that this run is to work on, looked at before anything is registered.

Here and in `questions` the program itself speaks to the network, beside the plugin. Here it asks,
without a sign-in, what time it is there: a clock that is wrong here would make the wrong secrets,
and the plugin has no answer to it (docs/adr/0005).
"""

from datetime import datetime

from infra import operation, questions, targets
from infra.made import Made
from proself_mail import clock
from proself_mail.config.settings import Settings
from proself_mail.entra import target
from proself_mail.entra.target import Target


def enter(settings: Settings, stack: str, made: Made | None) -> tuple[Target, datetime]:
    """Return the target's addresses, and the time; `stack` is the stack's name.

    `made` is what is there already; where it is None, neither it nor the policy is looked at. Under
    `proself-mail up`, which has asked the tenant, it alone is: another machine may have made
    something since, and now that the engine holds the stack none does.
    Raises `pulumi.RunError` where the environment leads elsewhere than the stack's configuration,
    the tenant cannot be reached, a clock is wrong, the state has lost its application, a live
    secret would be dropped or none would exist yet, the mail proof would stay open for too long, or
    the tenant's policy is known to refuse a secret.
    """
    tenant_id, asks = str(settings.tenant_id), not operation.is_under_proself_mail_up()
    now = clock.now()
    with operation.without_traceback():
        target.check_environment(settings.target, tenant_id)
        where, there = target.reach(settings.target, tenant_id)
        clock.check(now, there)
        if made is not None:  # in a part-update as well: its part may be the application
            made.check(settings, stack, now)  # first: its own name again is no loss
            if asks:
                questions.check_not_lost(stack, tenant_id, where, made)
        settings.check_begun(stack, now)
        settings.check_mail_proof(stack, now)
        # A secret that is left out on purpose is no reason to refuse the rest.
        if made is not None and asks and targets.is_whole():
            questions.check_policy(settings, stack, where, made, now)
    return where, now
