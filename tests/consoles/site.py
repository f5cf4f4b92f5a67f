"""The web server with its pages and consoles, in a thread of the test, and an engine that hands over our screens."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
import uvicorn
from django.test import Client
from pytest_django import Settings
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from tests.hypervisors.conftest import wait_until
from vms.domain.console import Protocol
from vms.domain.errors import Refusal
from vms.engine.door import Door
from vms.engine.requests import Requests
from vms.hypervisors.memory import MemoryHypervisor
from vms.models import VM, User


class Screens(MemoryHypervisor):
    """A host whose machines show screens that a test is behind."""

    def __init__(self) -> None:
        super().__init__()
        self.behind: list[socket.socket] = []
        self.refusal: Refusal | None = None

    def open_screen(self, machine: UUID, screen: Protocol) -> socket.socket:
        if self.refusal:
            raise self.refusal
        theirs, ours = socket.socketpair()
        ours.settimeout(5)
        self.behind.append(ours)
        return theirs

    def last(self) -> socket.socket:
        """The test's end of the screen that was opened last."""
        wait_until(lambda: self.behind, what="a screen that was opened")
        return self.behind[-1]


@dataclass
class Site:
    """Where it is, and the screens behind it."""

    place: str
    screens: Screens
    browsers: dict[User, Client] = field(default_factory=dict)

    def browser(self, user: User) -> Client:
        """Somebody's browser, logged in."""
        if user not in self.browsers:
            self.browsers[user] = Client(headers={"host": self.place})
            self.browsers[user].force_login(user)
        return self.browsers[user]

    def pass_for(self, user: User, vm: VM, kind: str = "vnc") -> str:
        """What the page's script gets."""
        answer = self.browser(user).post(f"/portal/vms/{vm.pk}/console/{kind}/pass")
        assert answer.status_code == 200, (answer.status_code, answer.headers)
        return str(answer.json()["pass"])

    @asynccontextmanager
    async def console(
        self, user: User | None, vm: VM, told: str, kind: str = "vnc", *, origin: str | None = "", host: str = ""
    ) -> AsyncIterator[ClientConnection]:
        """The script's WebSocket; `origin` is the page's unless another or (None) no page is named."""
        cookie = f"sessionid={self.browser(user).cookies['sessionid'].value}" if user else ""
        page = f"http://{self.place}" if origin == "" else origin
        headers = {"Cookie": cookie} if cookie else {}
        async with connect(
            f"ws://{host or self.place}/consoles/{vm.pk}/{kind}",
            subprotocols=[Subprotocol("binary"), Subprotocol(f"pass.{told}")],
            origin=Origin(page) if page is not None else None,
            additional_headers=headers,
            host=self.place.partition(":")[0],
            port=int(self.place.partition(":")[2]),
            proxy=None,
            close_timeout=1,
        ) as line:
            yield line


async def reason_of(line: ClientConnection, within: float = 5) -> str:
    """Why the server closed it."""
    try:
        async with asyncio.timeout(within):
            while True:
                await line.recv()
    except ConnectionClosed as closed:
        return closed.rcvd.reason if closed.rcvd else ""


@pytest.fixture
def site(db: None, settings: Settings) -> Iterator[Site]:
    """Everything that a browser needs; the database must be one that threads share."""
    from webadmin.asgi import application

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    screens = Screens()
    requests = Requests(lambda _host: screens)
    door = Door(settings.RUN_DIR, lambda: None, requests.answers)
    door.open()
    with closing(requests), closing(door), _served(application) as place:
        yield Site(place, screens)
    for end in screens.behind:
        end.close()


@contextmanager
def _served(application: Callable[..., Any]) -> Iterator[str]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        configuration = uvicorn.Config(application, lifespan="off", log_level="warning", ws_per_message_deflate=False)
        server = uvicorn.Server(configuration)
        thread = threading.Thread(target=server.run, args=([listening],), name="web")
        thread.start()
        wait_until(lambda: server.started, what="the web server")
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()
