"""The one import of Pulumi's provider protocol: messages, and the names of its calls.

Messages: proto/pulumi/provider.proto and plugin.proto of Pulumi 3.259.
"""

from typing import TYPE_CHECKING

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct

if TYPE_CHECKING:
    from pulumi.runtime.proto import plugin_pb2 as plugin
    from pulumi.runtime.proto import provider_pb2 as rpc
    from pulumi.runtime.proto import status_pb2 as status
else:
    from emulator.azuread.pulumirpc import plugin_pb2 as plugin
    from emulator.azuread.pulumirpc import provider_pb2 as rpc
    from emulator.azuread.pulumirpc import status_pb2 as status

SERVICE = "pulumirpc.ResourceProvider"

__all__ = ["SERVICE", "AnyMessage", "Empty", "Struct", "plugin", "rpc", "status"]
