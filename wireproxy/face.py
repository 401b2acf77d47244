"""What every face of the desk does for an approver: the control socket, and the HTTP API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import trio

from wireproxy import request_view
from wireproxy.approvals import Desk
from wireproxy.config.model import Approver
from wireproxy.request_view import RequestView
from wireproxy.store.model import OPEN, Binding, Request, State
from wireproxy.store.transitions import check_may_decide

PREVIEW_TIMEOUT_S = 60.0
LISTED_OPEN = 2000  # more than the desk lets wait: the oldest is the one to see
LISTED = 200

Preview = Callable[[Request, Binding], Awaitable[Mapping[str, object]]]


class ControlRefused(Exception):
    """What was asked for is not done. The message says why and what to do; a hook may raise it."""


class Face:
    """Raises UnknownRequest, RequestClosed, NotAllowed, ControlRefused, StoreError, trio.TooSlowError."""

    def __init__(self, desk: Desk, preview: Preview | None, clock_ns: Callable[[], int]) -> None:
        self.desk = desk
        self._preview = preview
        self._clock_ns = clock_ns
        self._previews = trio.CapacityLimiter(1)  # they hold locks on the target while they last

    async def listing(self, closed: bool) -> list[RequestView]:
        decided = await self.desk.select(tuple(set(State) - OPEN), LISTED) if closed else ()
        return [self.short(request) for request in (*decided, *await self.desk.select(tuple(OPEN), LISTED_OPEN))]

    async def show(self, request_id: str) -> RequestView:
        return self._whole(await self.desk.get(request_id))

    async def approve(self, request_id: str, approver: Approver, reason: str, principal: str) -> RequestView:
        return self._whole(await self.desk.approve(request_id, approver, reason, principal))

    async def deny(self, request_id: str, approver: Approver, reason: str, principal: str) -> RequestView:
        return self._whole(await self.desk.deny(request_id, approver, reason, principal))

    async def preview(self, request_id: str, approver: Approver, principal: str) -> Mapping[str, object]:
        """It runs the statement, if only to roll it back: for those alone who could approve it as well."""
        if self._preview is None:
            raise ControlRefused("this gateway makes no previews")
        request = await self.desk.get(request_id)
        check_may_decide(request, approver, principal)
        binding = await self.desk.binding(request_id)
        if request.state is not State.PENDING or binding is None:
            raise ControlRefused(f"{request_id} is {request.state}; only what is pending can be previewed")
        with trio.fail_after(PREVIEW_TIMEOUT_S):
            async with self._previews:
                return await self._preview(request, binding)

    def short(self, request: Request) -> RequestView:
        return request_view.short(request, self._clock_ns(), self.desk.is_awaited(request.id))

    def _whole(self, request: Request) -> RequestView:
        return request_view.whole(request, self._clock_ns(), self.desk.is_awaited(request.id))
