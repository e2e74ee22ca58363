"""API tokens: who may call /api/v1, and as what."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from connector.cli.answers import AsJson, fail, me, opened_house, show_facts, show_rows, wrong
from leads.enums import Role

app = typer.Typer(help="API tokens with roles.", no_args_is_help=True)
ROLES = [role.value for role in Role if role is not Role.UNKNOWN]


@app.command("list")
def list_tokens(as_json: AsJson = False) -> None:
    """Every token, revoked ones too.

    The tokens themselves are not kept.

    Example: leadswitch tokens list --json
    """
    with opened_house() as house:
        rows = [
            {"id": one.id, "name": one.name, "role": one.role.value, "created_at": one.created_at, "revoked_at": one.revoked_at}
            for one in house.tokens.all()
        ]
    show_rows(rows, as_json, "There are no tokens. Make one: leadswitch tokens create --name website --role ingest")


@app.command()
def create(
    role: Annotated[str, typer.Option(help=f"One of {', '.join(ROLES)}; each may do what the ones before it may.")],
    name: Annotated[str, typer.Option(help="Whom it is for.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a token and show it, this once.

    Example: leadswitch tokens create --name website --role ingest
    """
    if role not in ROLES:
        wrong(f"There is no role {role}: choose one of {', '.join(ROLES)}.")
    with opened_house() as house, house.db.transaction():
        token, principal = house.tokens.create(name or role, Role(role))
        house.audit.add(me().label, "token.create", f"token:{principal.id}", detail={"name": principal.name, "role": role})
    show_facts({"id": principal.id, "name": principal.name, "role": role, "token": token}, as_json)
    if not as_json:
        print("Keep it now: only a digest of it is stored.", file=sys.stderr)


@app.command()
def revoke(token_id: Annotated[int, typer.Argument(metavar="ID", help="As shown by `tokens list`.")]) -> None:
    """Take a token out of use at once.

    Example: leadswitch tokens revoke 3
    """
    with opened_house() as house, house.db.transaction():
        revoked = house.tokens.revoke(token_id)
        if revoked:
            house.audit.add(me().label, "token.revoke", f"token:{token_id}")
    if not revoked:
        fail(f"There is no live token {token_id}.")
    print(f"Token {token_id} is revoked.")
