"""What a real engine's events let through to us, whatever their severity."""

import json
import os
from typing import Any
from unittest import mock

import yaml

from proself_mail.stack import engine_events
from proself_mail.stack.observed import Observer
from proself_mail.stack.project import CHECKOUT
from proself_mail.stack.stack import Stack
from tests.journey import Journey

LOUD = "a-body-that-only-debug-output-quotes"


def make_loud(journey: Journey) -> None:
    """Let the program quote a body at severity debug, as the real plugin does."""
    path = journey.folder / "Pulumi.yaml"
    program = journey.folder / "loud" / "__main__.py"
    program.parent.mkdir()
    program.write_text(
        "import runpy\nimport pulumi\n"
        f"pulumi.log.debug('POST /addPassword: {LOUD}')\n"
        f"runpy.run_path({str(CHECKOUT / 'infra')!r}, run_name='__main__')\n",
        encoding="utf-8",
    )
    project = yaml.safe_load(path.read_text(encoding="utf-8")) | {"main": str(program.parent)}
    path.write_text(yaml.safe_dump(project), encoding="utf-8")


def test_no_secret_comes_through_the_engines_events(journey: Journey) -> None:
    journey.make_stack("dev")
    make_loud(journey)
    sent: list[Any] = []
    heard: list[Any] = []
    said: list[str] = []
    take = Observer.__call__

    def listen(observer: Observer, event: Any) -> None:
        heard.append(event)
        take(observer, event)

    stream = engine_events._Events.StreamEvents

    def overhear(events: Any, requests: Any, context: Any) -> Any:
        def each() -> Any:
            for request in requests:
                sent.append(json.loads(request.event))
                yield request

        return stream(events, each(), context)

    with (
        mock.patch.dict(os.environ, journey.environment, clear=True),
        mock.patch.object(Observer, "__call__", listen),
        mock.patch.object(engine_events._Events, "StreamEvents", overhear),
    ):
        observed = Stack("dev", journey.folder).up(said.append)
    assert observed.failures == []
    kinds = {kind for event in heard for kind in event}
    assert {"resourcePreEvent", "resOutputsEvent", "summaryEvent"} <= kinds
    loud = [e for e in sent if e.get("diagnosticEvent", {}).get("severity") == "debug"]
    assert LOUD in json.dumps(loud), "a filter that has nothing to hold back proves nothing"
    assert not [e for e in heard if e.get("diagnosticEvent", {}).get("severity") == "debug"]
    issued = [secret for secret in journey.tenant.secrets() if secret]
    assert journey.outputs("dev")["clientSecret"] in issued
    everything = json.dumps(heard) + "\n".join(said)
    assert not [secret for secret in (*issued, LOUD) if secret in everything]
