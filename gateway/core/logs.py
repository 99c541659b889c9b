"""Structured logs: one JSON object a line (or readable on a terminal), with the ids of what is being worked on.

``structlog.contextvars.bind_contextvars(call=…, command=…)`` adds an id to every line of a task. Personal data is kept
out of the levels from INFO upward by those who log; secrets are kept out of every level.
"""

import logging
import sys
from typing import Literal, TextIO

import structlog

LogFormat = Literal["json", "text"]


def set_up(*, level: str = "INFO", log_format: LogFormat = "json", stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's records to *stream* (standard error) in one form."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderers: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
        if log_format == "json"
        else [structlog.dev.ConsoleRenderer(colors=False)]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
