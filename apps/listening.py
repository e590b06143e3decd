"""uvicorn on our sockets: the one of the application, and a second one that comes and goes. Knows no door."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import uvicorn

from apps.extra_port import BACKLOG, ExtraPort


class Server(uvicorn.Server):
    """The first socket is served as long as the server runs, a second one as `extra` says; `begun` is called once it
    answers.
    """

    def __init__(self, config: uvicorn.Config, extra: ExtraPort, begun: Callable[[], None]) -> None:
        super().__init__(config)
        self._extra = extra
        self._begun = begun

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer at the sockets."""
        first, *second = sockets or ()
        await super().startup([first])
        if self.started:
            await self._extra.attach(self._also, *second)
            self._begun()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer nowhere any more."""
        self._extra.detach()
        await super().shutdown(sockets)

    async def _also(self, listening: socket.socket) -> Callable[[], None]:
        """Answer there too; what ends that again."""
        server = await asyncio.get_running_loop().create_server(self._protocol, sock=listening, backlog=BACKLOG)
        self.servers.append(server)
        port = listening.getsockname()[1]

        def end() -> None:
            server.close()
            self.servers.remove(server)
            for connection in list(self.server_state.connections):
                transport = connection.transport
                if transport is not None and transport.get_extra_info("sockname")[1] == port:
                    connection.shutdown()  # once what it is answering is written

        return end

    def _protocol(self) -> asyncio.Protocol:
        kind: Any = self.config.http_protocol_class
        made: asyncio.Protocol = kind(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
        return made
