"""The program that `pulumi up` runs: settings → tenant → component → outputs."""

import atexit
import gc
from concurrent.futures import ThreadPoolExecutor

import pulumi

from infra import operation, outputs, settings, tenant
from infra.made import Made

operation.leave_at_once_when_told()
operation.require_engine()
operation.require_own_code(__file__)
gc.disable()  # it lives for a second, of which looking for garbage would take 0.03
atexit.register(gc.freeze)  # or the interpreter looks through all objects once more: 0.06 s
stack = pulumi.get_stack()
made = Made.read(stack) if operation.looks_ahead() else None
configuration = settings.load(stack, made)
outputs.check_config_file(configuration)
with ThreadPoolExecutor(1) as beside:
    # The tenant is asked while the provider's SDK is imported, which takes as long.
    entering = beside.submit(tenant.enter, configuration, stack, made)
    from infra.mail_app import MailApp, MailAppArgs
where, now = entering.result()
app = MailApp("proself", MailAppArgs.of(configuration, where, now))
outputs.export(app, configuration, where, made, now)
