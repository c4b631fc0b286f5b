"""What a real engine's events let through to us, whatever their severity."""

import json
import os
from typing import Any
from unittest import mock

from proself_mail import engine
from proself_mail.stack import Stack
from tests.journey import Journey


def test_no_secret_comes_through_the_engines_events(journey: Journey) -> None:
    journey.make_stack("dev")
    heard: list[Any] = []
    said: list[str] = []
    take = engine.Observer.__call__

    def listen(observer: engine.Observer, event: Any) -> None:
        heard.append(event)
        take(observer, event)

    with (
        mock.patch.dict(os.environ, journey.environment, clear=True),
        mock.patch.object(engine.Observer, "__call__", listen),
    ):
        observed = Stack("dev", journey.folder).up(said.append)
    assert observed.failures == []
    kinds = {kind for event in heard for kind in event}
    assert {"resourcePreEvent", "resOutputsEvent", "summaryEvent"} <= kinds
    assert not [e for e in heard if e.get("diagnosticEvent", {}).get("severity") == "debug"]
    issued = [secret for secret in journey.tenant.secrets() if secret]
    assert journey.outputs("dev")["clientSecret"] in issued
    everything = json.dumps(heard) + "\n".join(said)
    assert not [secret for secret in issued if secret in everything]
