"""The files of the console: those of the shell from the package, those of each feature from its ``page/`` folder.

All of them are read once, when the gateway starts, and found by their exact name in a dictionary: what is not in it
does not exist, whatever dots and slashes an address contains.
"""

import hashlib
import importlib.resources
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from gateway.core.events import Message
from gateway.core.page import Page
from gateway.principals.model import Principal
from gateway.web.errors import RouteNotFoundError

MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".wav": "audio/wav",
    ".woff2": "font/woff2",
}
LARGEST_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served."""

    content: bytes
    media_type: str
    etag: str


class PageInfo(Message, frozen=True):
    """A page of the console: where its module and its icon are, and its title in both languages."""

    path: str
    title: dict[str, str]
    module: str
    icon: str


def shell_assets() -> dict[str, Asset]:
    """Read the shell's own files, by their path under ``static/``."""
    return dict(_read_folder(importlib.resources.files("gateway.web") / "static"))


def page_assets(pages: Iterable[Page]) -> dict[str, Asset]:
    """Read the files of the features' pages, by ``<page>/<path in its folder>``. Blocking: call it when starting."""
    assets: dict[str, Asset] = {}
    for page in pages:
        prefix = f"{page.path}/"
        if any(name.startswith(prefix) for name in assets):
            raise ValueError(f"two pages are called {page.path!r}")
        found = {prefix + name: asset for name, asset in _read_folder(page.module_path.parent)}
        for needed in (page.module_path.name, page.icon):
            if prefix + needed not in found:
                raise ValueError(f"page {page.path!r} has no file {needed!r}")
        assets |= found
    return assets


def asset_routes(
    shell: Mapping[str, Asset], features: Mapping[str, Asset], pages: Iterable[Page]
) -> list[HTTPRouteHandler]:
    """Return the handlers of ``/``, ``/static/…``, ``/features/…`` and ``/api/v1/pages``."""
    listed = tuple(pages)

    @get("/", opt={"public": True}, include_in_schema=False)
    async def index(request: Request[Any, Any, Any]) -> Response[bytes]:
        return _answer(request, shell, "index.html")

    @get("/favicon.ico", opt={"public": True}, include_in_schema=False)
    async def favicon(request: Request[Any, Any, Any]) -> Response[bytes]:
        return _answer(request, shell, "icon.svg")

    @get("/static/{file_path:path}", opt={"public": True}, include_in_schema=False)
    async def static(request: Request[Any, Any, Any], file_path: FromPath[str]) -> Response[bytes]:
        return _answer(request, shell, file_path.removeprefix("/"))

    @get("/features/{file_path:path}", opt={"public": True}, include_in_schema=False)
    async def feature(request: Request[Any, Any, Any], file_path: FromPath[str]) -> Response[bytes]:
        return _answer(request, features, file_path.removeprefix("/"))

    @get("/api/v1/pages", tags=["console"])
    async def list_pages(principal: NamedDependency[Principal]) -> list[PageInfo]:
        """List the pages that the console offers to whoever asks."""
        return [
            PageInfo(
                path=page.path,
                title={"en": page.title.en, "zh": page.title.zh},
                module=f"/features/{page.path}/{page.module_path.name}",
                icon=f"/features/{page.path}/{page.icon}",
            )
            for page in listed
            if not page.right or principal.may(page.right)
        ]

    return [index, favicon, static, feature, list_pages]


def _answer(request: Request[Any, Any, Any], assets: Mapping[str, Asset], name: str) -> Response[bytes]:
    asset = assets.get(name)
    if asset is None:
        raise RouteNotFoundError
    # no-cache: the browser keeps the file and asks each time whether it still is the one, so an upgrade shows at once.
    headers = {"etag": asset.etag, "cache-control": "no-cache"}
    known = [each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")]
    if asset.etag in known:
        return Response(b"", status_code=304, headers=headers, media_type=asset.media_type)
    return Response(asset.content, headers=headers, media_type=asset.media_type)


def _read_folder(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Asset]]:
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.is_dir():
            yield from _read_folder(entry, f"{prefix}{entry.name}/")
            continue
        media_type = MEDIA_TYPES.get("." + entry.name.rpartition(".")[2])
        if media_type is None or entry.name.startswith("."):
            continue
        content = entry.read_bytes()
        if len(content) > LARGEST_BYTES:
            raise ValueError(f"{entry.name} is too large for the console: {len(content)} bytes")
        yield prefix + entry.name, Asset(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
