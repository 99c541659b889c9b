"""What can go wrong with the store."""

from gateway.core.errors import Kind, TrunklineError
from gateway.core.options import SettingsError
from gateway.core.text import Text


class StoreError(TrunklineError):
    """The branch of everything that the store raises by itself."""


class StoreUnavailableError(StoreError):
    """The database cannot be reached or written; the unit was surely not carried out."""

    code = "store.unavailable"
    kind = Kind.UNAVAILABLE
    retryable = True
    cause = Text("The database cannot be used: {reason}.", "数据库无法使用：{reason}。")
    action = Text(
        "Check the database and its disk with `trunkline doctor`; the gateway goes on trying by itself.",
        "请用 `trunkline doctor` 检查数据库及其磁盘；网关会自动重试。",
    )


class StoreFullError(StoreUnavailableError):
    """The disk of the database has no room left."""

    code = "store.full"
    cause = Text("The disk of the database is full ({place}).", "数据库所在磁盘已满（{place}）。")
    action = Text(
        "Free some space on that disk now: nothing can be written down.", "请立即清理该磁盘：目前无法写入记录。"
    )


class StoreLockedError(StoreUnavailableError):
    """Another program writes this store: a gateway that runs, or a command that has it open."""

    code = "store.locked"
    kind = Kind.CONFLICT
    cause = Text(
        "The store {place} is in use by another program ({holder}).", "存储 {place} 正被另一程序使用（{holder}）。"
    )
    action = Text(
        "Let the running gateway do it, or stop that program first.", "请通过正在运行的网关操作，或先停止该程序。"
    )


class StoreTakenOverError(StoreLockedError):
    """While this gateway had lost its connection, another one became the writer. This one has to end."""

    code = "store.taken_over"
    cause = Text("Another gateway has written to {place} meanwhile.", "其间另一网关已写入 {place}。")
    action = Text(
        "Make sure that only one gateway uses it, then start again.", "请确保只有一个网关使用该库，然后重新启动。"
    )
    retryable = False


class StoreOverloadedError(StoreError):
    """More is to be written than the database takes, and the queue is full; the unit was not carried out."""

    code = "store.overloaded"
    kind = Kind.UNAVAILABLE
    retryable = True
    cause = Text("{waiting} units of work wait for the database already.", "已有 {waiting} 个操作在等待数据库。")
    action = Text("Try again shortly; if it lasts, the disk is too slow.", "请稍后重试；若持续出现，说明磁盘过慢。")


class StoreOutcomeUnknownError(StoreError):
    """The connection broke during the commit and did not come back in time: it is done or not done."""

    code = "store.outcome_unknown"
    kind = Kind.UNKNOWN_OUTCOME
    cause = Text("It is not known whether {what} was written: {reason}.", "无法确定 {what} 是否已写入：{reason}。")
    action = Text("Look at the present state before doing it again.", "请先查看当前状态，再决定是否重做。")


class StoreSchemaError(StoreError):
    """The tables do not fit this version of the program."""

    code = "store.schema"
    kind = Kind.CONFIG
    cause = Text("The tables of the database do not fit: {reason}.", "数据库表结构不匹配：{reason}。")
    action = Text("Run the version that wrote it, or upgrade the program.", "请使用写入该库的版本，或升级程序。")


class StoreSiteError(SettingsError):
    """The database belongs to another site; its sequence numbers would be mixed up."""

    code = "store.site"
    cause = Text(
        "The database belongs to the site {found!r}, not to {wanted!r}.",
        "数据库属于站点 {found!r}，而不是 {wanted!r}。",
    )


class StoreUrlError(SettingsError):
    """``store.url`` names no database that can be used."""

    code = "store.url"
    cause = Text("store.url cannot be used: {reason}.", "store.url 不可用：{reason}。")
