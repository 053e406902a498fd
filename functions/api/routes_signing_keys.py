"""The service's ed25519 keys: the public ones for everybody, and rotating them."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Body

from answers.common import PublicKey
from answers.signing_keys import Jwk, JwkSet, SigningKeys
from reading import IdempotencyKey, caller_of, once_by
from webhooks.management.requests import RotateSigningKey
from webhooks.management.signing_keys import SigningKeyManagement

TAGS = ["signing-keys"]


def public_routes(signing_keys: SigningKeyManagement) -> Router:
    """The router of what needs no caller."""
    router = Router()

    @router.get(
        "/.well-known/jwks.json",
        summary="Public keys of the service, for verifying its deliveries",
        tags=TAGS,
        description=(
            "Of the ed25519 signatures (`v1a`) that webhooks with `ed25519` get, as a key set (RFC 7517). During a "
            "rotation it holds the old key as well, for as long as that signs. Keep it for some minutes."
        ),
        operation_id="getPublicKeys",
    )
    def get_public_keys() -> Response[JwkSet]:
        answer = JwkSet(keys=[Jwk.of(each) for each in signing_keys.published()])
        return Response(200, "application/json", answer, headers={"Cache-Control": "public, max-age=300"})

    return router


def routes(signing_keys: SigningKeyManagement) -> Router:
    """The router of the other use case."""
    router = Router()

    @router.post(
        "/signing-keys/rotate",
        summary="Give the service a new ed25519 key",
        tags=TAGS,
        description=(
            "For the platform (scope `admin`). For `overlap_hours` the present key signs beside the new one, and both "
            "are published: receivers take the new one over within that time. Three keys sign at most, a fourth is a "
            "409; 0 ends all older ones at once, for a key that has leaked."
        ),
        operation_id="rotateSigningKey",
    )
    def rotate_signing_key(
        request: Annotated[RotateSigningKey | None, Body()] = None, idempotency_key: IdempotencyKey = None
    ) -> SigningKeys:
        caller = caller_of(router, "admin")
        once = once_by(idempotency_key, request, "rotate signing key")
        found = signing_keys.rotate(caller, (request or RotateSigningKey()).overlap_hours, once)
        return SigningKeys(public_keys=[PublicKey.of(each) for each in found])

    return router
