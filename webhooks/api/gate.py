"""What every call passes: a bearer token with a role, a limit, a body within bounds. The work itself runs in the thread pool."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from connector.bootstrap import House
from connector.commands import Actor
from connector.errors import Configuration, Retriable
from connector.reading import read_json
from connector.storage.tokens import Principal
from leads.enums import Role
from webhooks.api.files import FileAnswer
from webhooks.api.records import Given, Taken
from webhooks.bodies import ClientGone, read_body
from webhooks.limits import Buckets
from webhooks.problems import FieldError, Problem

T = TypeVar("T", bound=Taken)

#: Wrong tokens one address may try in a minute.
GUESSES_PER_MINUTE = 30
LONGEST_TOKEN = 200
#: Calls worked on at once; more would only queue for the database, whose pool serves the rest of the process too.
THREADS = 16
#: Files worked on at once.
FILES = 2


@dataclass(frozen=True, slots=True)
class Call:
    """One authorised request, away from the web framework."""

    house: House
    principal: Principal
    trace_id: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    content_type: str

    def read(self, model: type[T]) -> T:
        """The body as a record. Raises `Problem`: 415 not JSON by its type, 400 unreadable, 422 with every field that is wrong."""
        if self.content_type.partition(";")[0].strip().lower() != "application/json":
            raise Problem(415, "content-type", "Send the body as application/json.")
        try:
            document = read_json(self.body)
        except ValueError as error:
            raise Problem(400, "malformed", "The body cannot be read.", f"It is {error}.") from error
        return _validate(model, document)

    def read_query(self, model: type[T]) -> T:
        """The query string as a record. Raises `Problem` 422."""
        return _validate(model, dict(self.query))

    def path_id(self) -> int:
        """The number in the path. Raises `Problem` 404 when it is none: no such thing exists."""
        text = self.path["id"]
        if not (text.isascii() and text.isdigit() and len(text) <= 15):
            raise missing("record")
        return int(text)

    def actor(self, rep_id: str | None = None) -> Actor:
        """Who acts, for the commands and the audit trail."""
        return Actor("api", str(self.principal.id), self.principal.role, rep_id)


def cannot(error: Configuration) -> Problem:
    """The 422 for what is wrong as a whole."""
    return Problem(422, "invalid", "This cannot be done.", str(error))


def missing(what: str) -> Problem:
    """The 404 for a record."""
    return Problem(404, "not-found", f"There is no such {what}.")


def _validate(model: type[T], document: object) -> T:
    try:
        return model.model_validate(document)
    except ValidationError as error:
        errors = [
            FieldError(".".join(str(part) for part in one["loc"]) or "(body)", one["msg"])
            for one in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise Problem(422, "invalid", "Some fields are not right.", errors=errors) from None


@dataclass(frozen=True, slots=True)
class Operation:
    """One route: what it wants, what it gives, and the function that answers."""

    method: str
    path: str
    role: Role
    summary: str
    answer: Callable[[Call], Given]
    gives: type[BaseModel]
    takes: type[Taken] | None = None
    query: type[Taken] | None = None
    status: int = 200
    large: bool = False  # takes many records at once, up to `limits.batch_bytes`


@dataclass(frozen=True, slots=True)
class Streaming:
    """A route that takes a file as it comes and answers with one as it is made. Always POST, CSV in and out.

    `work` is a generator run in a thread: from the lines of the file to the text of the answer. What it raises before the first
    text is a problem document; what it raises later cuts the answer off.
    """

    path: str
    role: Role
    summary: str
    work: Callable[[House, Iterable[str]], Iterator[str]]


class Gate:
    """Lets calls through to their operation."""

    def __init__(self, house: House) -> None:
        self._house = house
        per_minute = house.settings.limits.requests_per_minute
        self._clients = Buckets(per_minute, per_minute / 6)
        self._guessers = Buckets(GUESSES_PER_MINUTE, GUESSES_PER_MINUTE)
        self._threads = CapacityLimiter(THREADS)
        self._files = CapacityLimiter(FILES)

    async def serve(self, operation: Operation, request: Request) -> Response:
        """Answer one request. Raises `Problem`."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}
        token = _bearer(headers.get("authorization", ""))
        address = request.client.host if request.client else ""
        if not token:
            raise self._stranger(address)
        try:
            limits = self._house.settings.limits
            body = await read_body(headers, request.receive, limits.batch_bytes if operation.large else limits.body_bytes)
        except ClientGone:
            return Response(status_code=400)
        work = partial(self._answer, operation, token, address, body, headers, request)
        return await to_thread.run_sync(work, limiter=self._threads)

    async def stream(self, streaming: Streaming, request: Request) -> Response:
        """Answer one request with a file. Raises `Problem`."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}
        token = _bearer(headers.get("authorization", ""))
        address = request.client.host if request.client else ""
        if not token:
            raise self._stranger(address)
        await to_thread.run_sync(partial(self._admit, token, address, streaming.role), limiter=self._threads)
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "text/csv":
            raise Problem(415, "content-type", "Send the body as text/csv.")
        return FileAnswer(partial(streaming.work, self._house), self._house.settings.limits.file_bytes, self._files)

    def _answer(
        self, operation: Operation, token: str, address: str, body: bytes, headers: Mapping[str, str], request: Request
    ) -> Response:
        try:
            principal = self._admit(token, address, operation.role)
            call = Call(
                self._house,
                principal,
                request.state.trace_id,
                request.path_params,
                request.query_params,
                body,
                headers.get("content-type", ""),
            )
            given = operation.answer(call)
        except Retriable as error:
            raise Problem(503, "store-down", "Not possible at this moment.", str(error), headers={"retry-after": "5"}) from error
        except Configuration as error:
            raise cannot(error) from error
        return Response(given.model_dump_json(), operation.status, media_type="application/json")

    def _admit(self, token: str, address: str, role: Role) -> Principal:
        """Whom the token speaks for. Raises `Problem`: 401 unknown, 403 a lesser role, 429 too often."""
        principal = self._house.tokens.check(token)
        if principal is None:
            raise self._stranger(address)
        wait = self._clients.take(str(principal.id))
        if wait:
            raise _too_many(wait)
        if not Actor("api", str(principal.id), principal.role).may(role):
            raise Problem(403, "forbidden", "This token may not do that.", f"It wants the role {role.value}.")
        return principal

    def _stranger(self, address: str) -> Problem:
        """The 401 for whoever comes without a valid token, or the 429 when they come too often."""
        wait = self._guessers.take(address)
        if wait:
            return _too_many(wait)
        return Problem(401, "unauthorised", "A valid bearer token is wanted.", headers={"www-authenticate": "Bearer"})


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and len(token) <= LONGEST_TOKEN else ""


def _too_many(seconds: float) -> Problem:
    return Problem(429, "too-many-requests", "Too many requests.", headers={"retry-after": str(int(seconds) + 1)})
