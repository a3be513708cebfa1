"""The small hub that hands bundles and signatures to the server's own SuperLink.

Flower passes signatures on to its nodes only for programs that come from a hub. This one answers
the two requests that a SuperLink makes, on this computer's loopback and nowhere else: nodes never
reach it, they get bundle and signatures through the SuperLink. Nobody trusts it: a node checks
signatures and bytes itself.

A request without a version is refused, because the SuperLink would keep the answer, with the
signatures of that day, and use it for ever.
"""

import contextlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from server.signing.shelf import Shelf
from shared.errors import FedaffectError, InputError

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["Hub", "hub_app", "running_hub"]

_HOST: Final = "127.0.0.1"
_LARGEST_QUESTION: Final = 4096
_START_S: Final = 20.0


@dataclass(frozen=True)
class Hub:
    """A hub that answers.

    Attributes
    ----------
    port : int
        On 127.0.0.1.
    """

    port: int

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables a SuperLink is started with, so that it asks this hub and no other.

        The last two keep a proxy out of requests to this computer.
        """
        return {
            "FLWR_SUPERGRID_API_URL": f"http://{_HOST}:{self.port}/v1",
            "NO_PROXY": f"{_HOST},localhost",
            "no_proxy": f"{_HOST},localhost",
        }


@contextlib.contextmanager
def running_hub(shelf: Shelf, port: int = 0) -> Iterator[Hub]:
    """Run the hub in a thread until the block ends.

    Parameters
    ----------
    shelf : Shelf
        What it offers; read anew at each request.
    port : int
        On 127.0.0.1; 0 takes a free one.

    Yields
    ------
    Hub

    Raises
    ------
    InputError
        When the port cannot be taken.
    """
    import uvicorn

    config = uvicorn.Config(
        hub_app(shelf), host=_HOST, port=port, access_log=False, log_config=None, lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=_serve, args=(server,), name="bundle hub", daemon=True)
    thread.start()
    latest = time.monotonic() + _START_S
    while not server.started and thread.is_alive() and time.monotonic() < latest:
        time.sleep(0.01)
    if not server.started:
        server.should_exit = True
        raise InputError(
            f"port {port} of this computer asked for the bundle hub; another program holds it. "
            "End that program or give another port"
        )
    try:
        yield Hub(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(_START_S)


def hub_app(shelf: Shelf) -> "Starlette":
    """Build the hub's web application."""
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route

    def refused(status: int, detail: object) -> "Response":
        return JSONResponse({"detail": detail}, status_code=status)

    async def fetch(request: "Request") -> "Response":
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _LARGEST_QUESTION:
                return refused(413, "question too long")
        try:
            question = json.loads(body)
            app, version = str(question["app_id"]), question["app_version"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return refused(422, "app_id and app_version expected")
        versions = shelf.versions()
        if version not in versions:
            return refused(404, {"available_app_versions": versions})
        try:
            offer, _ = shelf.find(version)
        except FedaffectError as error:
            return refused(409, str(error))
        if app != offer.facts.app:
            return refused(404, f"{offer.facts.app} is offered here")
        port = request.scope["server"][1]
        return JSONResponse(
            {
                "fab_url": f"http://{_HOST}:{port}/v1/bundles/{version}/{offer.facts.sha256}.fab",
                "verifications": [record.flower_verification for record in offer.records],
            }
        )

    async def bundle(request: "Request") -> "Response":
        version, digest = request.path_params["version"], request.path_params["digest"]
        try:
            offer, found = shelf.find(version)
        except FedaffectError as error:
            return refused(404, str(error))
        if digest != offer.facts.sha256:
            return refused(404, "no bundle with this SHA-256")
        return Response(found.content, media_type="application/octet-stream")

    return Starlette(
        routes=[
            Route("/v1/hub/fetch-fab", fetch, methods=["POST"]),
            Route("/v1/bundles/{version}/{digest}.fab", bundle, methods=["GET"]),
        ]
    )


def _serve(server: "object") -> None:
    import uvicorn

    assert isinstance(server, uvicorn.Server)
    with contextlib.suppress(SystemExit):  # uvicorn leaves so when the port is taken
        server.run()
