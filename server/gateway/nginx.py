"""The gateway's rules as an nginx configuration, for those who run nginx already.

It forwards the same routes, compared byte for byte as they came, and refuses the rest with 403; it
keeps the same limits as far as nginx has them. Written for nginx 1.22 or later: a whole
configuration, to be started as ``nginx -c FILE`` or copied into an existing one.
"""

import ipaddress
import math
from pathlib import Path

from server.gateway.addresses import is_loopback, split_address, written
from server.gateway.limits import Limits
from server.gateway.refusals import (
    BAD_METHOD,
    NOT_REGISTERED_HERE,
    PATH_REFUSED,
    UPSTREAM_DOWN,
    Refusal,
)
from server.gateway.routes import FLEET_PATHS, REGISTRATION_PATHS
from server.gateway.upstream import REQUEST_HEADERS
from shared.errors import InputError
from shared.files import write_atomic

__all__ = ["nginx_configuration", "write_nginx_configuration"]


def nginx_configuration(
    listen: str,
    upstream: str,
    certificate: Path,
    key: Path,
    *,
    upstream_ca: Path,
    upstream_name: str = "localhost",
    access_log: Path | None = None,
    limits: Limits | None = None,
) -> str:
    """Configuration that does what ``Gateway`` with the same arguments does.

    Two things nginx does its own way: a request that is too long or malformed is refused with
    nginx's own page, and limits count requests by address, not by IPv6 /64.

    Raises
    ------
    InputError
        When an address has not its form, the SuperLink is not on loopback, its name is an IP
        address, or a path holds a character that means something to nginx.
    """
    limits = limits or Limits()
    at = written(*split_address(listen, what="the address nginx listens on"))
    host, port = split_address(upstream, what="the SuperLink's address")
    if not is_loopback(host):
        raise InputError(
            f"the SuperLink's address is {upstream}; its control routes are open to all who reach "
            "it, so it has to listen on loopback: use 127.0.0.1"
        )
    if _is_ip(upstream_name):
        raise InputError(
            f"the name in the SuperLink's certificate is given as {upstream_name}, but nginx "
            "checks names only, not IP addresses: give localhost, and a certificate that names it"
        )
    log = f"{_quoted(access_log)} fedaffect" if access_log else "off"
    headers = "\n".join(
        f"        proxy_set_header {header} $http_{header.replace('-', '_')};"
        for header in sorted(each.decode() for each in REQUEST_HEADERS)
    )
    fleet, registration = "|".join(FLEET_PATHS), "|".join(REGISTRATION_PATHS)
    return f"""\
# Written by fedaffect-server: TLS in front of a SuperLink, the routes of clinics' nodes only.
worker_processes auto;
events {{ worker_connections {max(2 * limits.connections, 64)}; }}
http {{
    log_format fedaffect escape=json
        '{{"time":"$time_iso8601","peer":"$remote_addr:$remote_port","path":"$uri",'
        '"status":$status,"received_bytes":"$content_length","sent_bytes":$body_bytes_sent,'
        '"seconds":$request_time}}';
    # $request_uri is the target as it came: no other spelling of a path is let through.
    map "$request_method $request_uri" $asks_for {{
        default nothing;
        "~^POST ({fleet})$" a_route;
        "~^[A-Z]+ ({fleet})$" otherwise;
        "~^[A-Z]+ ({registration})$" registration;
    }}
    limit_req_zone $binary_remote_addr zone=rate:10m rate={math.ceil(limits.rate_per_peer)}r/s;
    limit_conn_zone $binary_remote_addr zone=peer:10m;
    limit_conn_zone $server_name zone=all:1m;
    server {{
        listen {at} ssl;
        server_name _;
        ssl_certificate {_quoted(certificate)};
        ssl_certificate_key {_quoted(key)};
        ssl_protocols TLSv1.3;
        server_tokens off;
        merge_slashes off;
        access_log {log};
        default_type application/json;

        client_max_body_size {limits.body_bytes};
        client_body_buffer_size {limits.body_bytes};
        large_client_header_buffers 4 {limits.head_bytes};
        client_header_timeout {_ms(limits.head_s)};
        client_body_timeout {_ms(limits.body_s)};
        keepalive_timeout {_ms(limits.idle_s)};
        send_timeout {_ms(limits.send_s)};
        # A node asks again after 503; after 429 it would end.
        limit_req_status 503;
        limit_conn_status 503;
        limit_req zone=rate burst={limits.burst_per_peer} nodelay;
        limit_conn peer {limits.requests_per_peer};
        limit_conn all {limits.requests};

        proxy_http_version 1.1;
        proxy_pass_request_headers off;
        proxy_set_header Host $proxy_host;
        proxy_set_header X-Forwarded-For $remote_addr;
{headers}
        proxy_ssl_verify on;
        proxy_ssl_trusted_certificate {_quoted(upstream_ca)};
        proxy_ssl_name {_quoted(upstream_name)};
        proxy_ssl_server_name on;
        proxy_ssl_protocols TLSv1.3;
        proxy_connect_timeout 5s;
        proxy_read_timeout {_ms(limits.upstream_s)};
        proxy_send_timeout {_ms(limits.upstream_s)};
        proxy_next_upstream off;
        proxy_buffering off;

        error_page 502 =503 @down;
        location @down {{ return 503 {_json(UPSTREAM_DOWN)}; }}
        if ($asks_for = nothing) {{ return 403 {_json(PATH_REFUSED)}; }}
        if ($asks_for = otherwise) {{ return 403 {_json(BAD_METHOD)}; }}
        if ($asks_for = registration) {{ return 404 {_json(NOT_REGISTERED_HERE)}; }}
        location / {{ proxy_pass https://{written(host, port)}; }}
    }}
}}
"""


def write_nginx_configuration(
    path: Path,
    listen: str,
    upstream: str,
    certificate: Path,
    key: Path,
    *,
    upstream_ca: Path,
    upstream_name: str = "localhost",
    access_log: Path | None = None,
    limits: Limits | None = None,
) -> None:
    """Write ``nginx_configuration`` to a file, whole or not at all."""
    write_atomic(
        path,
        nginx_configuration(
            listen,
            upstream,
            certificate,
            key,
            upstream_ca=upstream_ca,
            upstream_name=upstream_name,
            access_log=access_log,
            limits=limits,
        ),
    )


def _json(refusal: Refusal) -> str:
    """Body of a refusal as an nginx string."""
    return "'" + refusal.body().decode().replace("\\", "\\\\").replace("'", "\\'") + "'"


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _quoted(value: Path | str) -> str:
    text = str(value)
    if not text.isprintable() or any(character in text for character in '"\\$'):
        raise InputError(
            "a path or name for the nginx configuration holds a quote, a backslash, a dollar sign "
            "or a control character; move the server's folder to a plain path"
        )
    return f'"{text}"'


def _ms(seconds: float) -> str:
    return f"{math.ceil(seconds * 1000)}ms"
