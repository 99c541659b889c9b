"""Commands on operators, roles and applications (``sys.app_add`` …): one way for HTTP and command line.

They stand here and not beside their service, because ``gateway.principals`` lies below the commands. Those that carry a
password or a secret name it in ``CommandSpec.secrets``: they are refused on the bus, their bodies are never written
down, and a secret that is made up is shown to who asked, once.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from gateway.commands.spec import BoundCommand, CommandContext, CommandSpec
from gateway.core.events import Message
from gateway.core.text import Text
from gateway.principals.model import Right
from gateway.principals.repository import Application, Operator
from gateway.principals.service import PrincipalService

Name = Annotated[str, msgspec.Meta(pattern="^[a-z0-9_-]{1,32}$")]
DisplayName = Annotated[str, msgspec.Meta(max_length=100)]
Password = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_TTL_S = 60.0


class RightPattern(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Verbs and resources as patterns of names with ``*`` and ``?``."""

    verb: Annotated[str, msgspec.Meta(max_length=64)]
    resource: Annotated[str, msgspec.Meta(max_length=64)] = "*"


Rights = Annotated[tuple[RightPattern, ...], msgspec.Meta(max_length=100)]
Roles = Annotated[tuple[Name, ...], msgspec.Meta(max_length=32)]


class AppAdd(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Register an application; its name is a level of its topics."""

    name: Name
    rights: Rights = ()
    display_name: DisplayName = ""


class AppName(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An application that exists."""

    name: Name


Broker = Literal["told", "follows"]


class AppSecret(Message, frozen=True, kw_only=True):
    """The secret of an application; null when the answer is asked for again.

    ``broker`` tells whether the broker knows it already, or follows when it is back; null with an external broker,
    which has a keeper of its own.
    """

    name: str
    secret: str | None = None
    broker: Broker | None = None


class AppRevoked(Message, frozen=True, kw_only=True):
    """An application whose credential has ended; ``broker`` as above."""

    name: str
    broker: Broker | None = None


class Nothing(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command that needs nothing said."""


class Named(Message, frozen=True, kw_only=True):
    """Whom or what it was about."""

    name: str


class AppView(Message, frozen=True, kw_only=True):
    """An application as it is listed."""

    name: str
    display_name: str
    rights: tuple[RightPattern, ...]
    created_at: datetime
    issued_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class AppList(Message, frozen=True, kw_only=True):
    """All applications."""

    applications: tuple[AppView, ...]


class OperatorAdd(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Register an operator."""

    name: Name
    display_name: DisplayName
    roles: Roles
    password: Password


class OperatorModify(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Change what is given of an operator."""

    name: Name
    display_name: DisplayName | None = None
    roles: Roles | None = None
    disabled: bool | None = None


class OperatorPassword(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give an operator a new password."""

    name: Name
    password: Password


class PasswordChange(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Change one's own password."""

    old: Password
    new: Password


class OperatorView(Message, frozen=True, kw_only=True):
    """An operator as it is listed."""

    name: str
    display_name: str
    roles: tuple[str, ...]
    disabled: bool
    created_at: datetime
    password_at: datetime


class OperatorList(Message, frozen=True, kw_only=True):
    """All operators."""

    operators: tuple[OperatorView, ...]


class RoleSet(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Create or replace a role."""

    name: Name
    title_en: DisplayName
    title_zh: DisplayName
    rights: Rights


class RoleView(Message, frozen=True, kw_only=True):
    """A role as it is listed."""

    name: str
    title_en: str
    title_zh: str
    rights: tuple[RightPattern, ...]


class RoleList(Message, frozen=True, kw_only=True):
    """All roles."""

    roles: tuple[RoleView, ...]


def _spec(
    name: str, body: type[Any], result: type[Any], summary: Text, secrets: tuple[str, ...] = ()
) -> CommandSpec[Any, Any]:
    return CommandSpec(
        name=f"sys.{name}",
        body=body,
        result=result,
        summary=summary,
        resource=lambda given: getattr(given, "name", "*"),
        max_ttl_s=_TTL_S,
        secrets=secrets,
    )


APP_ADD = _spec("app_add", AppAdd, AppSecret, Text("Register an application.", "登记应用。"), ("secret",))
APP_ROTATE = _spec(
    "app_rotate", AppName, AppSecret, Text("Give an application a new secret.", "更换应用密钥。"), ("secret",)
)
APP_REVOKE = _spec("app_revoke", AppName, AppRevoked, Text("End an application's credential.", "吊销应用凭据。"))
APP_LIST = _spec("app_list", Nothing, AppList, Text("List the applications.", "列出应用。"))
OPERATOR_ADD = _spec(
    "operator_add", OperatorAdd, OperatorView, Text("Register an operator.", "新增值班人员。"), ("password",)
)
OPERATOR_MODIFY = _spec("operator_modify", OperatorModify, OperatorView, Text("Change an operator.", "修改值班人员。"))
OPERATOR_PASSWORD = _spec(
    "operator_password", OperatorPassword, Named, Text("Set an operator's password.", "重设密码。"), ("password",)
)
PASSWORD_CHANGE = _spec(
    "password_change", PasswordChange, Named, Text("Change one's own password.", "修改本人密码。"), ("old", "new")
)
OPERATOR_LIST = _spec("operator_list", Nothing, OperatorList, Text("List the operators.", "列出值班人员。"))
ROLE_SET = _spec("role_set", RoleSet, Named, Text("Create or replace a role.", "设置角色。"))
ROLE_LIST = _spec("role_list", Nothing, RoleList, Text("List the roles.", "列出角色。"))


def commands(service: PrincipalService) -> list[BoundCommand[Any, Any]]:
    """Return the commands, bound to *service*."""
    return [*_application_commands(service), *_operator_commands(service), *_role_commands(service)]


def _application_commands(service: PrincipalService) -> list[BoundCommand[Any, Any]]:
    applications = service.applications

    async def add(body: AppAdd, context: CommandContext) -> AppSecret:
        await context.begin_side_effect()
        issued = await applications.add(context.principal, body.name, _rights(body.rights), body.display_name)
        return AppSecret(name=issued.name, secret=issued.secret, broker=_broker(told=issued.told))

    async def rotate(body: AppName, context: CommandContext) -> AppSecret:
        await context.begin_side_effect()
        issued = await applications.rotate(context.principal, body.name)
        return AppSecret(name=issued.name, secret=issued.secret, broker=_broker(told=issued.told))

    async def revoke(body: AppName, context: CommandContext) -> AppRevoked:
        await context.begin_side_effect()
        told = await applications.revoke(context.principal, body.name)
        return AppRevoked(name=body.name, broker=_broker(told=told))

    async def show(_body: Nothing, _context: CommandContext) -> AppList:
        return AppList(applications=tuple(_app_view(one) for one in await applications.list()))

    return [
        BoundCommand(APP_ADD, add),
        BoundCommand(APP_ROTATE, rotate),
        BoundCommand(APP_REVOKE, revoke),
        BoundCommand(APP_LIST, show),
    ]


def _operator_commands(service: PrincipalService) -> list[BoundCommand[Any, Any]]:
    async def add(body: OperatorAdd, context: CommandContext) -> OperatorView:
        await context.begin_side_effect()
        operator = await service.add_operator(
            context.principal, body.name, body.display_name, body.roles, body.password
        )
        return _operator_view(operator)

    async def modify(body: OperatorModify, context: CommandContext) -> OperatorView:
        await context.begin_side_effect()
        operator = await service.modify_operator(
            context.principal, body.name, display_name=body.display_name, roles=body.roles, disabled=body.disabled
        )
        return _operator_view(operator)

    async def password(body: OperatorPassword, context: CommandContext) -> Named:
        await context.begin_side_effect()
        await service.set_password(context.principal, body.name, body.password)
        return Named(name=body.name)

    async def change(body: PasswordChange, context: CommandContext) -> Named:
        await context.begin_side_effect()
        await service.change_password(context.principal, body.old, body.new)
        return Named(name=context.principal.name)

    async def show(_body: Nothing, _context: CommandContext) -> OperatorList:
        return OperatorList(operators=tuple(_operator_view(one) for one in await service.operators()))

    return [
        BoundCommand(OPERATOR_ADD, add),
        BoundCommand(OPERATOR_MODIFY, modify),
        BoundCommand(OPERATOR_PASSWORD, password),
        BoundCommand(PASSWORD_CHANGE, change),
        BoundCommand(OPERATOR_LIST, show),
    ]


def _role_commands(service: PrincipalService) -> list[BoundCommand[Any, Any]]:
    async def put(body: RoleSet, context: CommandContext) -> Named:
        await context.begin_side_effect()
        title = Text(body.title_en, body.title_zh)
        await service.set_role(context.principal, body.name, title, _rights(body.rights))
        return Named(name=body.name)

    async def show(_body: Nothing, _context: CommandContext) -> RoleList:
        return RoleList(
            roles=tuple(
                RoleView(name=role.name, title_en=role.title.en, title_zh=role.title.zh, rights=_patterns(role.rights))
                for role in await service.roles()
            )
        )

    return [BoundCommand(ROLE_SET, put), BoundCommand(ROLE_LIST, show)]


def _broker(*, told: bool | None) -> Broker | None:
    if told is None:
        return None
    return "told" if told else "follows"


def _rights(patterns: Sequence[RightPattern]) -> tuple[Right, ...]:
    return tuple(Right(pattern.verb, pattern.resource) for pattern in patterns)


def _patterns(rights: Sequence[Right]) -> tuple[RightPattern, ...]:
    return tuple(RightPattern(verb=right.verb, resource=right.resource) for right in rights)


def _app_view(application: Application) -> AppView:
    return AppView(
        name=application.name,
        display_name=application.display_name,
        rights=_patterns(application.rights),
        created_at=application.created_at,
        issued_at=application.issued_at,
        expires_at=application.expires_at,
        revoked_at=application.revoked_at,
    )


def _operator_view(operator: Operator) -> OperatorView:
    return OperatorView(
        name=operator.name,
        display_name=operator.display_name,
        roles=operator.roles,
        disabled=operator.disabled,
        created_at=operator.created_at,
        password_at=operator.password_at,
    )
