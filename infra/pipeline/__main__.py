"""The program of the pipeline's identity: settings → component → outputs."""

import pulumi

from infra import operation
from infra.pipeline import settings
from infra.pipeline.identity import PipelineIdentity

operation.leave_at_once_when_told()
operation.require_engine()
operation.require_own_code(__file__)
configuration, where = settings.load()
identity = PipelineIdentity("pipeline", configuration, where)
pulumi.export("clientId", identity.application.client_id)
pulumi.export("tenantId", str(configuration.tenant_id))
pulumi.export("objectId", identity.service_principal.object_id)
