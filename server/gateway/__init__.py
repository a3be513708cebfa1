"""The one port that clinics reach: TLS in front of Flower's SuperLink, the fleet routes only.

A SuperLink serves everything on one port: the fleet routes of the clinics, which are authenticated,
and the control and runtime routes, which in the open-source build are not. So it listens on
loopback only, and this gateway forwards the ten routes a clinic's node needs and nothing else.

Assumption: Flower 1.41, whose fleet service is protocol buffers over HTTP/1.1 (its gRPC service is
off by default), one POST for one answer.
"""

from server.gateway.gateway import Gateway
from server.gateway.limits import Limits
from server.gateway.nginx import nginx_configuration, write_nginx_configuration

__all__ = ["Gateway", "Limits", "nginx_configuration", "write_nginx_configuration"]
