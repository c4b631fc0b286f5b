"""The stand-in azuread plugin: what pulumi-resource-azuread 6.10 does, for the embedded tenant.

Three layers, each knowing only the one below it:

- `provider` speaks Pulumi's provider protocol; `check`, `plan`, `diff`, `state` and `imports` are
  what Pulumi's Terraform bridge adds between that protocol and a resource;
- one module per resource (`application`, `service_principal`, ...) and `functions`: the calls to
  Microsoft Graph, in the order in which the real plugin makes them;
- `tenant`, `graph`, `signin` and `transport`: HTTPS to loopback, tokens, retries.

It does not serve a cloud tenant: `transport` opens no socket that is not loopback. What it
approximates is listed in docs/adr/0012.

Facts: recorded traffic and state of the real plugin 6.10.0; hashicorp/terraform-provider-azuread
3.x, hashicorp/go-azure-sdk and pulumi/pulumi-terraform-bridge v3, read, not copied.
"""
