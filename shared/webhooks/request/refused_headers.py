"""The names that an owner's headers may not have: who believes each, and where that is written.

In lower case with hyphens, as `headers.py` compares them. A name that ends in * stands for all that begin so.
"""

# Each group's first words say whose names these are, with the source.
_TRUSTED: dict[str, str] = {
    "The connection and the message's frame, which are the HTTP client's (RFC 9110, sections 7 and 8; RFC 9112)": (
        "connection keep-alive te trailer transfer-encoding upgrade expect http2-settings host max-forwards early-data "
        "proxy-* content-* if-* sec-*"
    ),
    "Set by this service, or by its HTTP client": (
        "user-agent accept-encoding date range alt-svc alt-used traceparent tracestate "
        "webhook-*"  # and those with the prefix of ours
    ),
    "Where a request came from, as browsers and proxies say (RFC 6265; RFC 7239; MDN, HTTP headers)": (
        "cookie cookie2 set-cookie set-cookie2 forwarded via client-ip true-client-ip x-real-ip x-client-ip "
        "x-cluster-client-ip x-remote-ip x-remote-addr x-originating-ip x-host x-forwarded*"
    ),
    "Another method or path than the one that was judged (OWASP, Web Security Testing Guide, HTTP Methods; IIS, ARR)": (
        "x-http-method x-http-method-override x-method-override x-rewrite-url x-original-*"
    ),
    "Who a user is, as a proxy that signs users in says (Authelia and authentik, Trusted Headers; oauth2-proxy; "
    "Grafana, Auth proxy; Kubernetes, Authenticating Proxy; Pomerium; Tailscale Serve)": (
        "remote-* x-remote-user x-remote-group x-remote-extra-* x-remote-uid x-webauth-* x-auth-request-* "
        "x-authentik-* x-pomerium-* tailscale-*"
    ),
    "Who a user is, as a cloud's gate says (Azure App Service; Google Cloud, IAP; Cloudflare Access)": (
        "x-ms-client-principal* x-ms-token-* x-goog-iap-* x-goog-authenticated-user-* cf-access-*"
    ),
    "A client certificate that a proxy has checked (nginx, ssl module; Traefik, PassTLSClientCert; Azure; IIS, ARR)": (
        "x-ssl-* ssl-client-* x-client-cert x-client-verify x-arr-*"
    ),
    "An address that a platform's edge has seen (Cloudflare, Fastly, Fly.io, Azure Front Door)": (
        "cf-connecting-ip cf-connecting-ipv6 fastly-client-ip fly-client-ip x-azure-clientip x-azure-socketip"
    ),
    "Believed inside a platform (App Engine, Request headers; Cloud Tasks; Cloud Scheduler)": (
        "x-appengine-* x-cloudtasks-* x-cloudscheduler*"
    ),
    "Orders to a server or a proxy (Next.js, CVE-2025-29927; Envoy, HTTP header sanitizing; nginx, X-Accel)": (
        "x-middleware-* x-envoy-* x-accel-*"
    ),
    "Proof that a request was meant for a metadata service, or parts of an AWS request (EC2, IMDSv2; SigV4; GCE)": (
        "metadata metadata-flavor x-metadata-token x-amz* x-aws-* x-google-metadata*"
    ),
}
_ALL = " ".join(_TRUSTED.values()).split()

NAMES = frozenset(name for name in _ALL if not name.endswith("*"))
PREFIXES = tuple(name[:-1] for name in _ALL if name.endswith("*"))
