"""What can go wrong with names, passwords, sessions and credentials."""

from gateway.core.errors import Kind, TrunklineError
from gateway.core.text import Text


class AuthenticationError(TrunklineError):
    """It is not known who is asking."""

    kind = Kind.UNAUTHENTICATED


class SignInRefusedError(AuthenticationError):
    """Name and password do not fit. The answer is the same for an unknown name, a wrong password and a wait."""

    code = "auth.sign_in_refused"
    cause = Text(
        "Name or password is wrong, or too many attempts were made just now.",
        "用户名或密码错误，或短时间内尝试次数过多。",
    )
    action = Text(
        "Wait a minute and try again; an administrator can set a new password.",
        "请一分钟后重试；管理员可以重设密码。",
    )


class SessionEndedError(AuthenticationError):
    """The session token is unknown, expired or signed out."""

    code = "auth.session_ended"
    cause = Text("The session has ended.", "会话已结束。")
    action = Text("Sign in again.", "请重新登录。")


class CredentialRefusedError(AuthenticationError):
    """Name and secret of an application do not fit, or its credential was revoked or has expired."""

    code = "auth.credential_refused"
    cause = Text("The credential of the application is wrong, revoked or expired.", "应用凭据错误、已吊销或已过期。")
    action = Text("Issue a new one: `trunkline apps rotate NAME`.", "请重新签发：`trunkline apps rotate 名称`。")


class SignInBusyError(TrunklineError):
    """Too many passwords wait to be checked."""

    code = "auth.busy"
    kind = Kind.UNAVAILABLE
    retryable = True
    cause = Text("Too many sign-ins at the same time.", "同时登录的请求过多。")
    action = Text("Try again in a few seconds.", "请几秒后重试。")


class PasswordPolicyError(TrunklineError):
    """The new password is too weak."""

    code = "auth.password_policy"
    kind = Kind.INVALID
    cause = Text("The password cannot be used: {reason}.", "密码不符合要求：{reason}。")
    action = Text(
        "Take at least 10 characters that do not contain the name.", "请使用至少 10 个字符且不包含用户名的密码。"
    )


class LastAdministratorError(TrunklineError):
    """The last enabled administrator would be lost."""

    code = "auth.last_administrator"
    kind = Kind.CONFLICT
    cause = Text("{name} is the last administrator.", "{name} 是最后一位管理员。")
    action = Text("Make somebody else an administrator first.", "请先指定另一位管理员。")


class NameTakenError(TrunklineError):
    """The name is in use."""

    code = "auth.name_taken"
    kind = Kind.CONFLICT
    cause = Text("The name {name!r} is in use.", "名称 {name!r} 已被使用。")
    action = Text("Choose another name, or change the one that exists.", "请使用其他名称，或修改已有项。")
