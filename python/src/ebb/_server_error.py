"""Errors of a server, with the details that it sends."""

from __future__ import annotations

from typing import Any

from google.rpc import error_details_pb2, status_pb2

from ._errors import EbbError


class ServerError(EbbError):
    """A call to ebb-serve failed; ``docs/errors.md`` lists the reasons.

    Attributes
    ----------
    code : str
        gRPC's code, such as ``"NOT_FOUND"``.
    message : str
        The problem in plain words.
    reason : str or None
        The reason for programs, such as ``"USER_UNKNOWN"``; None where no answer came from the server.
    fields : dict of str to str
        For a request that is not legal: each field at fault, and what is wrong with it.
    retry_after_seconds : float or None
        After how long the server asks to try again.
    request_id : str or None
        The id that the server's log has for the call.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        reason: str | None = None,
        fields: dict[str, str] | None = None,
        retry_after_seconds: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.fields = fields or {}
        self.retry_after_seconds = retry_after_seconds
        self.request_id = request_id

    def __str__(self) -> str:
        return f"{self.code}{f' ({self.reason})' if self.reason else ''}: {self.message}"


def server_error(error: Any) -> ServerError:
    """The error of a call that gRPC reports."""
    trailers = {name: value for name, value in error.trailing_metadata() or ()}
    headers = {name: value for name, value in error.initial_metadata() or ()}
    reason, fields, retry_after = None, {}, None
    for detail in details(trailers.get("grpc-status-details-bin")):
        if isinstance(detail, error_details_pb2.ErrorInfo):
            reason = detail.reason
        elif isinstance(detail, error_details_pb2.BadRequest):
            fields = {violation.field: violation.description for violation in detail.field_violations}
        elif isinstance(detail, error_details_pb2.RetryInfo):
            retry_after = detail.retry_delay.ToMilliseconds() / 1000
    return ServerError(
        error.code().name,
        error.details() or "",
        reason=reason,
        fields=fields,
        retry_after_seconds=retry_after,
        request_id=trailers.get("x-request-id") or headers.get("x-request-id"),
    )


def details(encoded: bytes | None) -> list[Any]:
    """The details of a status that are of a known type."""
    if encoded is None:
        return []
    found = []
    for packed in status_pb2.Status.FromString(encoded).details:
        for type_ in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo):
            if packed.Is(type_.DESCRIPTOR):
                detail = type_()
                packed.Unpack(detail)
                found.append(detail)
    return found
