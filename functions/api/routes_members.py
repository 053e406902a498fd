"""/workspaces: the platform tells who is no member any more."""

from aws_lambda_powertools.event_handler.api_gateway import Router

from answers.members import MemberRemoved
from reading import caller_of
from webhooks.management.members import Members

TAGS = ["workspaces"]


def routes(members: Members) -> Router:
    """The router of this use case."""
    router = Router()

    @router.delete(
        "/workspaces/<workspace_id>/members/<user_id>",
        summary="Disable the webhooks of a user who has left a workspace",
        description=(
            "For the platform (scope `admin`). Each webhook that the user registered in the workspace becomes `failed` "
            "with the reason `member_removed`, what waits for it is abandoned, and `webhook.disabled` announces it. "
            "Only an admin makes one active again. The user's API keys that name the workspace are revoked. Repeat it "
            "when the user's last token has expired: until then it could register or make another."
        ),
        tags=TAGS,
        operation_id="removeMember",
    )
    def remove_member(workspace_id: str, user_id: str) -> MemberRemoved:
        return MemberRemoved.of(members.removed(caller_of(router, "admin"), workspace_id, user_id))

    return router
