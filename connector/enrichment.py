"""What an outside service knows of somebody: asked over HTTP, read by the shape of its answers.

Two shapes are built in, those of Clearbit's combined look-up (`GET …/combined/find?email=`, 202 while it is still searching) and of
ZoomInfo's contact enrichment (`POST …/enrich/contact`, a list of matches). For any other service the fields are mapped by paths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol
from urllib.parse import quote, urlsplit

from connector.clock import Clock
from connector.errors import Configuration, Fatal, Retriable, Skippable
from connector.http import VendorHttp, retry_after, sorted_error
from connector.paths import Path
from connector.ports import RateBudget
from connector.settings import EnrichmentSettings
from leads.fields import CANONICAL
from leads.records import FieldValue

TITLE: Final = "The enrichment service"
#: Seconds until an answer is asked for again that the service is still working on.
STILL_SEARCHING_S: Final = 5.0
#: Field → where it stands in an answer of the shape; the first path that says something counts. A company's own phone number is
#: left out: a lead's number is taken to be the person's, and joins whoever else is known by it.
CLEARBIT: Final[Mapping[str, Sequence[str]]] = {
    "first_name": ("person.name.givenName",),
    "last_name": ("person.name.familyName",),
    "title": ("person.employment.title",),
    "company": ("company.name", "person.employment.name"),
    "website": ("company.domain", "person.employment.domain"),
    "country": ("company.geo.countryCode", "person.geo.countryCode"),
    "region": ("company.geo.stateCode", "person.geo.stateCode"),
    "city": ("company.geo.city", "person.geo.city"),
    "postcode": ("company.geo.postalCode",),
    "industry": ("company.category.industry",),
    "employees": ("company.metrics.employees",),
    "revenue": ("company.metrics.annualRevenue",),
}
ZOOMINFO: Final[Mapping[str, Sequence[str]]] = {
    "first_name": ("data.result[0].data[0].firstName",),
    "last_name": ("data.result[0].data[0].lastName",),
    "title": ("data.result[0].data[0].jobTitle",),
    "phone": ("data.result[0].data[0].phone", "data.result[0].data[0].mobilePhone"),
    "company": ("data.result[0].data[0].company.name", "data.result[0].data[0].companyName"),
    "website": ("data.result[0].data[0].company.website", "data.result[0].data[0].companyWebsite"),
    "country": ("data.result[0].data[0].company.country", "data.result[0].data[0].country"),
    "region": ("data.result[0].data[0].company.state", "data.result[0].data[0].state"),
    "city": ("data.result[0].data[0].company.city", "data.result[0].data[0].city"),
    "postcode": ("data.result[0].data[0].company.zipCode",),
    "industry": ("data.result[0].data[0].company.primaryIndustry[0]", "data.result[0].data[0].companyPrimaryIndustry"),
    "employees": ("data.result[0].data[0].company.employeeCount", "data.result[0].data[0].companyEmployeeCount"),
    "revenue": ("data.result[0].data[0].company.revenueNumeric",),
}
ZOOMINFO_FIELDS: Final = (
    *("firstName", "lastName", "jobTitle", "phone", "mobilePhone", "country", "state", "city"),
    *("companyName", "companyWebsite", "companyPrimaryIndustry", "companyEmployeeCount"),
)


class Enricher(Protocol):
    """Knows people by their address."""

    def find(self, email: str) -> Mapping[str, FieldValue] | None:
        """Field → value, not normalised yet; None for somebody it does not know. Raises the errors of `connector.errors`."""
        ...


class HttpEnricher:
    """An enricher behind one URL, in which `{email}` and `{domain}` stand for the person's. Safe to share between threads."""

    def __init__(self, settings: EnrichmentSettings, clock: Clock, budget: RateBudget) -> None:
        """Raises `Configuration` for a URL or a path that cannot be read."""
        self._settings, self._clock, self._budget = settings, clock, budget
        parts = urlsplit(settings.url)
        self._target = settings.url.removeprefix(f"{parts.scheme}://{parts.netloc}") or "/"
        self._http = VendorHttp(TITLE, f"{parts.scheme}://{parts.netloc}", clock, allow_private=settings.trust_private_host)
        self._paths = _paths(settings)

    def find(self, email: str) -> Mapping[str, FieldValue] | None:
        wait = self._budget.take("enrichment", capacity=self._settings.per_minute, per_s=60.0)
        if wait > 0:
            raise Retriable(f"{TITLE} is asked often enough for now.", wait)
        answer = self._ask(email)
        if answer.status_code == 202:
            raise Retriable(f"{TITLE} is still searching.", retry_after(answer, self._clock.now()) or STILL_SEARCHING_S)
        error = sorted_error(answer, TITLE, {401: "Mend enrichment.token.", 403: "Mend enrichment.token."}, self._clock.now())
        if isinstance(error, Skippable):
            return None
        if error is not None:
            raise error
        try:
            document = answer.json()
        except ValueError:
            raise Fatal(f"{TITLE} answered what is no JSON.") from None
        found = {field: _value(value) for field, paths in self._paths.items() if (value := _first(paths, document)) is not None}
        return {field: value for field, value in found.items() if value is not None} or None

    def close(self) -> None:
        self._http.close()

    def _ask(self, email: str) -> Any:
        token = self._settings.token
        headers = {"authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        target = self._target.replace("{email}", quote(email, safe="")).replace("{domain}", quote(email.partition("@")[2], safe=""))
        if self._settings.shape == "zoominfo":
            body = {"matchPersonInput": [{"emailAddress": email}], "outputFields": list(ZOOMINFO_FIELDS)}
            return self._http.send("POST", target, idempotent=True, json=body, headers=headers)
        params = {} if "{email}" in self._target or "{domain}" in self._target else {"params": {"email": email}}
        return self._http.send("GET", target, idempotent=True, headers=headers, **params)


def _paths(settings: EnrichmentSettings) -> dict[str, list[Path]]:
    if settings.shape == "mapped":
        if unknown := sorted(set(settings.fields) - CANONICAL):
            raise Configuration(f"enrichment.fields.{unknown[0]}: no such field.", f"Known: {', '.join(sorted(CANONICAL))}.")
        told: Mapping[str, Sequence[str]] = {field: (path,) for field, path in settings.fields.items()}
    else:
        told = {"clearbit": CLEARBIT, "zoominfo": ZOOMINFO}[settings.shape]
    try:
        return {field: [Path.parse(path) for path in paths] for field, paths in told.items()}
    except ValueError as error:
        raise Configuration(f"enrichment.fields: {error}.", "Write it as company.geo.country.") from None


def _first(paths: Sequence[Path], document: Any) -> Any:
    return next((found for path in paths if (found := path.first(document)) is not None), None)


def _value(value: Any) -> FieldValue:
    """A plain value as it is; what is none says nothing."""
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else None
