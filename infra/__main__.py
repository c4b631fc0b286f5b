"""The program that `pulumi up` runs: settings → tenant → component → outputs."""

from infra import operation, outputs, settings, tenant
from infra.mail_app import MailApp, MailAppArgs

operation.leave_at_once_when_told()
configuration = settings.load()
outputs.check_config_file(configuration)
where, now = tenant.enter(configuration)
app = MailApp("proself", MailAppArgs.of(configuration, where, now))
outputs.export(app, configuration, where)
