"""A refusal of the sign-in's as the answer to a request that is given no ids."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from emulator.cloud import Cloud
from emulator.sign_in.login_problems import LoginError

NOBODY = "00000000-0000-0000-0000-000000000000"
"""Stands for the ids that such an answer has."""


def origin_of(request: Request) -> str:
    """Return the address of the sign-in, as its client knows it."""
    return f"{request.url.scheme}://{request.headers['host']}"


def refused(cloud: Cloud, request: Request, problem: LoginError) -> Response:
    """Answer a request by a refusal."""
    body = problem.body(cloud.clock.now(), NOBODY, NOBODY, origin_of(request))
    return JSONResponse(body, problem.status)
