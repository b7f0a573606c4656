"""The local stack's licence service, on the gateway's port: what a vendor runs for its customers, with a key of this machine.

The protocol is docs/licences.md; ``streamspace license issue`` writes into the same book.
"""

import asyncio
import json
from pathlib import Path

from aiohttp import web

from cli.license_book import LicenseBook


class LicenseService:
    """Answers from the book, whose file may change under it at any time."""

    def __init__(self, book: Path, private_key: Path) -> None:
        self._book = book
        self._private_key = private_key

    async def serve(self, request: web.Request) -> web.Response:
        try:
            question = json.loads(await request.read())
        except ValueError:
            question = None
        status, document = await asyncio.to_thread(self._answer, request.match_info["what"], question)
        return web.json_response(document, status=status)

    def _answer(self, what: str, question: object) -> tuple[int, dict[str, object]]:
        return LicenseBook(self._book, self._private_key.read_bytes()).answer(what, question)
