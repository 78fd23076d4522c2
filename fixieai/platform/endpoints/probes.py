"""What machines ask without a credential: `/healthz`, `/readyz`, `/metrics`."""

from importlib import metadata

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fixieai import errors
from fixieai.platform import prometheus
from fixieai.platform.prometheus import Gauge
from fixieai.platform.services import Platform, platform_of
from fixieai.web import problems

HEALTH, READY, METRICS = "/healthz", "/readyz", "/metrics"
SERVICE = "fixie-platform"
_VERSION = metadata.version("fixieai")
_NOT_KEPT = {"Cache-Control": "no-store"}
_STARTING = "The platform is starting."


async def health(_: Request) -> Response:
    """That the process answers at all."""
    return JSONResponse({"status": "ok", "service": SERVICE, "version": _VERSION})


async def ready(request: Request) -> Response:
    """503 while it starts, before it stops, and while the database is away."""
    platform: Platform | None = getattr(request.app.state, "platform", None)
    obstacle = _STARTING if platform is None else await platform.readiness.obstacle()
    if obstacle is None:
        return JSONResponse({"status": "ready"}, headers=_NOT_KEPT)
    # Not raised: whoever asks every second would fill the log.
    refusal = problems.respond(errors.ServiceUnavailable(obstacle), problems.reference_of(request.scope))
    refusal.headers.update(_NOT_KEPT)
    return refusal


async def metrics(request: Request) -> Response:
    """Raises NotFound where others than this machine reach the platform, unless it is set so."""
    platform = platform_of(request)
    if not platform.settings.shows_metrics:
        raise errors.NotFound
    running, waiting = platform.runner.under_way()
    live = (
        Gauge("fixie_queries_running", "Queries that are being answered.", lambda: running),
        Gauge("fixie_queries_waiting", "Queries that wait for others of their session.", lambda: waiting),
    )
    text = platform.metrics.render(live)
    return Response(text, headers={"Content-Type": prometheus.CONTENT_TYPE, **_NOT_KEPT})
