"""How a program uses Kadr by the client that openapi-python-client generates: it registers, makes an API key, and does with it
what can be done with a photograph."""

import os
from http import HTTPStatus
from pathlib import Path
from typing import Never
from uuid import uuid4

import httpx

from kadr_client import AuthenticatedClient, Client
from kadr_client.api.accounts import create_account
from kadr_client.api.api_keys import create_api_key
from kadr_client.api.images import delete_image, get_image, list_images, update_image, upload_image
from kadr_client.api.sessions import create_session
from kadr_client.models import AccountCreate, APIKeyCreate, APIKeyWithSecret, Image, ImageList, ImagePatch, Problem, SessionCreate
from kadr_client.types import UNSET, File, Unset

URL, NAME, PHOTO = os.environ["KADR_URL"], os.environ["KADR_NAME"], Path(os.environ["KADR_PHOTO"])


def make_key() -> str:
    """Registers, signs in, and makes an API key: all that a program needs from then on."""
    password = "a long and private sentence"
    account = create_account.sync(client=Client(URL), body=AccountCreate(NAME, password))
    if isinstance(account, Problem):
        fail(account)
    session = create_session.sync_detailed(client=Client(URL), body=SessionCreate(NAME, password))
    if isinstance(session.parsed, Problem):
        fail(session.parsed)
    print("registered")
    cookie, _, _ = session.headers["Set-Cookie"].partition(";")
    made = create_api_key.sync(
        client=AuthenticatedClient(URL, token=cookie, prefix="", auth_header_name="Cookie"),
        body=APIKeyCreate("story", ["images:read", "images:write", "images:delete"]),
    )
    if not isinstance(made, APIKeyWithSecret):
        fail(made)
    print("key made")
    return made.key


def upload(kadr: AuthenticatedClient) -> tuple[Image, str]:
    """Sends a file as it is read. With the same Idempotency-Key a request that broke could be repeated."""
    with PHOTO.open("rb") as photo:
        stored = upload_image.sync_detailed(client=kadr, body=File(photo), allow_duplicate=True, idempotency_key=str(uuid4()))
    if not isinstance(stored.parsed, Image):
        fail(stored.parsed)
    return stored.parsed, stored.headers["ETag"]


def story(kadr: AuthenticatedClient) -> None:
    upload(kadr)
    upload(kadr)
    image, etag = upload(kadr)
    print("uploaded")

    listed = 0
    cursor: str | None | Unset = UNSET
    while cursor is not None:
        page = list_images.sync(client=kadr, limit=2, cursor=cursor)
        if not isinstance(page, ImageList):
            fail(page)
        listed += len(page.items)
        cursor = page.next_cursor
    print("listed", listed)

    changed = update_image.sync(image.id, client=kadr, body=ImagePatch(title="Far hills"), if_match=etag)
    if not isinstance(changed, Image):
        fail(changed)
    print("retitled")
    # The ETag is now that of the picture as it was.
    tell(update_image.sync(image.id, client=kadr, body=ImagePatch(title="Far hills"), if_match=etag))
    tell(get_image.sync("aaaaaaaaaaaaa", client=kadr))

    # The direct link is for everybody, so this takes no client and no key.
    if httpx.get(image.url).content != PHOTO.read_bytes():
        raise SystemExit("the link gives other bytes than the photograph's")
    print("fetched")

    gone = delete_image.sync(image.id, client=kadr)
    if isinstance(gone, Problem):
        fail(gone)
    print("deleted")
    if httpx.get(image.url).status_code != HTTPStatus.GONE:
        raise SystemExit("the link still gives the picture")
    tell(get_image.sync(image.id, client=kadr))


def fail(problem: object) -> Never:
    if isinstance(problem, Problem):
        raise SystemExit(f"{problem.title}: {problem.detail} (request {problem.request_id})")
    raise SystemExit(f"{problem!r} is not what the contract promises")


def tell(problem: object) -> None:
    """Prints the problem that has to come."""
    if not isinstance(problem, Problem):
        raise SystemExit("this should have been refused")
    print(problem.status, problem.type_.rpartition("/")[2])


story(AuthenticatedClient(URL, token=make_key()))
