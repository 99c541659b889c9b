"""What can be done about releases from outside: one command a step, so that each step is a right of its own."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec

from gateway.commands.spec import BoundCommand, CommandContext, CommandSpec
from gateway.core.events import Message
from gateway.core.text import Text
from gateway.release.rules import Release
from gateway.release.service import ReleaseService

Id = Annotated[str, msgspec.Meta(pattern="^[0-9a-z]{26}$")]
KindName = Annotated[str, msgspec.Meta(pattern="^[a-z0-9_-]{1,32}$")]
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Why = Annotated[str, msgspec.Meta(min_length=2, max_length=500)]


class ReleaseStep(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take a step on the content that was shown: ``digest`` says which."""

    id: Id
    kind: KindName
    digest: Digest


class ReleaseOverride(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Release in an emergency without the missing steps."""

    id: Id
    kind: KindName
    digest: Digest
    reason: Why


class ReleaseEnd(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Send back or give up, with the reason."""

    id: Id
    kind: KindName
    reason: Why


class ReleaseAnswer(Message, frozen=True, kw_only=True):
    """Where the request is now."""

    id: str
    state: str
    next_step: str | None


STEPS = {
    step: CommandSpec(
        name=f"ops.release_{step}",
        body=ReleaseStep,
        result=ReleaseAnswer,
        summary=summary,
        resource=lambda body: body.kind,
    )
    for step, summary in {
        "review": Text("Review a thing on its way to release.", "审核。"),
        "sign": Text("Sign a thing on its way to release.", "签发。"),
        "publish": Text("Publish a thing: it goes out.", "发布。"),
    }.items()
}
OVERRIDE = CommandSpec(
    name="ops.release_override",
    body=ReleaseOverride,
    result=ReleaseAnswer,
    summary=Text("Release in an emergency without the missing steps.", "紧急情况下越级发布。"),
    resource=lambda body: body.kind,
)
REJECT = CommandSpec(
    name="ops.release_reject",
    body=ReleaseEnd,
    result=ReleaseAnswer,
    summary=Text("Send a thing back to its maker.", "退回制作人。"),
    resource=lambda body: body.kind,
)
WITHDRAW = CommandSpec(
    name="ops.release_withdraw",
    body=ReleaseEnd,
    result=ReleaseAnswer,
    summary=Text("Give a request for release up.", "撤回发布申请。"),
    resource=lambda body: body.kind,
)


def commands(service: ReleaseService) -> list[BoundCommand[Any, Any]]:
    """Bind the commands to *service*. Making and changing belong to the features that own the content."""

    def taking(step: str) -> Callable[[ReleaseStep, CommandContext], Awaitable[ReleaseAnswer]]:
        async def take(body: ReleaseStep, context: CommandContext) -> ReleaseAnswer:
            return _answer(
                await service.step(body.id, step=step, kind=body.kind, digest=body.digest, principal=context.principal)
            )

        return take

    async def override(body: ReleaseOverride, context: CommandContext) -> ReleaseAnswer:
        return _answer(
            await service.override(
                body.id, kind=body.kind, digest=body.digest, reason=body.reason, principal=context.principal
            )
        )

    async def reject(body: ReleaseEnd, context: CommandContext) -> ReleaseAnswer:
        return _answer(await service.reject(body.id, kind=body.kind, reason=body.reason, principal=context.principal))

    async def withdraw(body: ReleaseEnd, context: CommandContext) -> ReleaseAnswer:
        return _answer(await service.withdraw(body.id, kind=body.kind, reason=body.reason, principal=context.principal))

    return [
        *(BoundCommand(spec, taking(step)) for step, spec in STEPS.items()),
        BoundCommand(OVERRIDE, override),
        BoundCommand(REJECT, reject),
        BoundCommand(WITHDRAW, withdraw),
    ]


def _answer(release: Release) -> ReleaseAnswer:
    return ReleaseAnswer(id=release.id, state=release.state.value, next_step=release.next_step)
