"""The ID token services of GitHub Actions and Azure Pipelines, as a job sees them.

A job shows its own token and gets one that an application may trust by its issuer and subject.
Which jobs there are, the admin interface says; the runners themselves, and who may start a job, are
no part of this. Sources are in FIDELITY.md.
"""

import secrets
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import jwt
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulator.cloud import Cloud
from emulator.directory.keys import SigningKey
from emulator.json_text import Json


class Service(StrEnum):
    """Whose runner a job is on."""

    GITHUB = "github"
    AZURE_DEVOPS = "azure-devops"


AZURE_AUDIENCE = "api://AzureADTokenExchange"
"""The one that Azure DevOps gives; on GitHub a job asks for it."""
_BEFORE = timedelta(minutes=10)
_LIFETIME = {Service.GITHUB: timedelta(minutes=5), Service.AZURE_DEVOPS: timedelta(minutes=10)}


@dataclass(frozen=True)
class Job:
    """A job on a runner."""

    service: Service
    issuer: str
    subject: str
    token: str
    """What the runner gave it to ask with."""
    audience: str | None
    """Whom its ID tokens are for, whatever it asks; as it asks where there is none."""


class Pipelines:
    """The jobs, and the key that their issuers sign with."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._jobs: dict[str, Job] = {}
        self._key: SigningKey | None = None

    def begin(self, service: Service, issuer: str, subject: str, audience: str | None) -> Json:
        """Begin a job; return where and with what it asks. Its issuer is known from now on."""
        if self._key is None:
            self._key = SigningKey()  # some tenth of a second, which most tenants do without
        keys = jwt.PyJWKSet.from_dict(self._key.published)
        self._cloud.issuers[issuer] = keys
        job_id = str(uuid.uuid4())
        job = Job(service, issuer, subject, secrets.token_urlsafe(48), audience)
        self._cloud.vault.note(job.token)
        self._jobs[job_id] = job
        path = "token" if service is Service.GITHUB else "oidctoken"
        query = "?api-version=2.0" if service is Service.GITHUB else ""
        return {"path": f"/_pipelines/{job_id}/{path}{query}", "request_token": job.token}

    def reset(self) -> None:
        """Forget the jobs."""
        self._jobs.clear()

    def routes(self) -> list[Route]:
        """Return where jobs ask: GitHub's service by GET, Azure DevOps' by POST."""
        return [
            Route("/_pipelines/{job}/token", self._endpoint(Service.GITHUB), methods=["GET"]),
            Route(
                "/_pipelines/{job}/oidctoken",
                self._endpoint(Service.AZURE_DEVOPS),
                methods=["POST"],
            ),
        ]

    def _endpoint(self, service: Service) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            job = self._jobs.get(request.path_params["job"])
            if job is None or job.service is not service:
                return Response(status_code=404)
            scheme, _, given = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not secrets.compare_digest(
                given.encode(), job.token.encode()
            ):
                return Response(status_code=401)
            if "api-version" not in request.query_params:
                return Response(status_code=400)
            if service is Service.AZURE_DEVOPS:
                return JSONResponse({"oidcToken": self._sign(job, AZURE_AUDIENCE)})
            # In the subject the owner may have an id behind it: repo:OWNER@ID/NAME@ID.
            owner = job.subject.removeprefix("repo:").partition("/")[0].partition("@")[0]
            asked = request.query_params.get("audience") or f"https://github.com/{owner}"
            return JSONResponse({"value": self._sign(job, asked)})

        return endpoint

    def _sign(self, job: Job, audience: str) -> str:
        assert self._key is not None  # noqa: S101  there is a job
        now = self._cloud.clock.now()
        token = self._key.sign(
            {
                "jti": str(uuid.uuid4()),
                "iss": job.issuer,
                "sub": job.subject,
                "aud": job.audience or audience,
                "iat": int(now.timestamp()),
                "nbf": int((now - _BEFORE).timestamp()),
                "exp": int((now + _LIFETIME[job.service]).timestamp()),
            }
        )
        self._cloud.vault.note(token)
        return token
