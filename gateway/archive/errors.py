"""What can go wrong with documents."""

from gateway.core.errors import Kind, TrunklineError
from gateway.core.text import Text


class ArchiveError(TrunklineError):
    """The archive cannot do this."""


class ArchiveFullError(ArchiveError):
    """There is no room for the document; nothing of it was kept."""

    code = "archive.full"
    kind = Kind.UNAVAILABLE
    retryable = True
    cause = Text("The archive's disk is full ({free_bytes} bytes free).", "归档磁盘已满（剩余 {free_bytes} 字节）。")
    action = Text("Make room or extend the disk, then try again.", "请清理或扩容磁盘后重试。")


class ArchiveTooLargeError(ArchiveError):
    """The document is larger than allowed; nothing of it was kept."""

    code = "archive.too_large"
    kind = Kind.INVALID
    cause = Text("The document is larger than {max_bytes} bytes.", "文档超过 {max_bytes} 字节。")
    action = Text("Send a smaller one, or raise archive.max_bytes.", "请发送较小的文档，或调大 archive.max_bytes。")


class ArchiveWriteError(ArchiveError):
    """The disk refuses."""

    code = "archive.disk"
    kind = Kind.UNAVAILABLE
    retryable = True
    cause = Text("The archive's disk failed: {reason}.", "归档磁盘故障：{reason}。")
    action = Text("Check the disk and its mount.", "请检查磁盘及其挂载。")


class ArchiveMissingError(ArchiveError):
    """The record is there, the file is not."""

    code = "archive.missing"
    kind = Kind.FAILED
    cause = Text("The file of document {digest} is missing.", "文档 {digest} 的文件缺失。")
    action = Text("Restore it from the second copy or the backup.", "请从副本或备份恢复。")


class ArchiveDamagedError(ArchiveError):
    """The file is not what was put in."""

    code = "archive.damaged"
    kind = Kind.FAILED
    cause = Text("The file of document {digest} was changed or damaged.", "文档 {digest} 的文件被改动或损坏。")
    action = Text("Restore it from the second copy or the backup.", "请从副本或备份恢复。")


class ArchiveHeldError(ArchiveError):
    """A hold keeps it."""

    code = "archive.held"
    kind = Kind.CONFLICT
    cause = Text("Document {id} is held: {holds}.", "文档 {id} 被保全：{holds}。")
    action = Text("End the hold first; that is recorded.", "请先解除保全（将留痕）。")
