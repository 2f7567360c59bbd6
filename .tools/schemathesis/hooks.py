"""What Schemathesis cannot read in the contract: who a visitor is, what a picture is, and what exists.

`make contract` runs this in Schemathesis (internal/conformance starts it). Nothing here leaves out an operation or a check.
"""

import collections
import os
import pathlib
import re
import uuid
import zlib

import hypothesis
import requests
import schemathesis
from hypothesis import strategies as st
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider
from schemathesis.auths import CachingAuthProvider
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.core.media_types import YAML_MEDIA_TYPES
from schemathesis.generation.meta import TestPhase
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.wfc.escalation import EscalatingAuthProvider

URL = os.environ["KADR_CONTRACT_URL"]
VISITOR = os.environ["KADR_CONTRACT_VISITOR"]  # anonymous, session, or the scope of an API key
PICTURES = [file.read_bytes() for file in sorted(pathlib.Path(os.environ["KADR_CONTRACT_PICTURES"]).iterdir())]

# Hypothesis remembers what it drew, and gives up all further sequences when the same draws are met by another reply. Here
# they are: what there is depends on what was sent before. It keeps no memory of what a backend of others draws, so its own
# goes under another name.
AVAILABLE_PROVIDERS["forgetful"] = HypothesisProvider
hypothesis.settings.register_profile("contract", backend="forgetful")
hypothesis.settings.load_profile("contract")

# ---- pictures --------------------------------------------------------------------------------------------------------

# `format: binary` is whatever the operation says it is, and here that is a picture.
schemathesis.openapi.format("binary", st.sampled_from(PICTURES))
for media_type in ["application/octet-stream"] + ["image/" + f for f in "jpeg png gif webp avif heic heif tiff".split()]:
    # The server looks at the bytes, so any of them is right under any of these names.
    schemathesis.openapi.media_type(media_type, st.sampled_from(PICTURES))


@schemathesis.deserializer(*YAML_MEDIA_TYPES, "text/*")
def text(context, response):
    """The contract says of these, and of its own YAML, that they are text, and not what it means."""
    return response.text


# ---- visitors --------------------------------------------------------------------------------------------------------


def address():
    """An address of one's own for every request, since the server limits signing up and in by address."""
    return "10.{}.{}.{}".format(*uuid.uuid4().bytes)


class Login:
    """Signs in again whenever a login is needed, and as a new account when that is gone: operations end both."""

    def __init__(self, name):
        self.name, self.account, self.password = name, None, None
        self.existing = collections.defaultdict(list)  # ids by the collection's name in the path

    def get(self, case, context):
        session = self.sign_in() or self.sign_up()
        self.existing["sessions"] = [session]
        if VISITOR in ("anonymous", "session"):
            return self.http.cookies.get_dict()
        key = self.post("api-keys", json={"name": "contract", "scopes": [VISITOR]})
        self.existing["api-keys"].append(key["id"])
        return key["key"]

    def sign_up(self):
        self.account, self.password = f"{self.name}-{uuid.uuid4().hex[:20]}", "a long and private sentence"
        self.existing.clear()
        requests.post(
            URL + "/api/v1/accounts",
            json={"name": self.account, "password": self.password},
            headers={"X-Forwarded-For": address()},
        ).raise_for_status()
        return self.sign_in()

    def sign_in(self):
        self.http = requests.Session()
        self.http.headers["X-Forwarded-For"] = address()
        try:
            return self.post("sessions", json={"name": self.account, "password": self.password})["id"]
        except requests.HTTPError:
            return None  # there is no such account, or no more

    def set(self, case, data, context):
        if VISITOR == "session":
            case.cookies.update(data)
        else:
            case.headers["Authorization"] = "Bearer " + data

    def post(self, path, **request):
        reply = self.http.post(URL + "/api/v1/" + path, **request)
        reply.raise_for_status()
        return reply.json()

    def some(self, collection):
        """An id of something that the account has; None where there can be none just now."""
        ids = self.existing[collection]
        if not ids and collection in MAKE:
            try:
                ids.append(self.post(collection, **MAKE[collection])["id"])
            except requests.HTTPError:
                pass  # the visitor has just signed out everywhere, or has too many
        return ids[-1] if ids else None


MAKE = {
    "api-keys": {"json": {"name": "contract", "scopes": ["images:read"]}},
    "images": {
        "params": {"visibility": "public", "allow_duplicate": "true"},
        "data": PICTURES[0],
        "headers": {"Content-Type": "image/jpeg"},
    },
    "uploads": {"json": {"size": len(PICTURES[0])}},
}
OWNER, PEER = Login("anna"), Login("boris")
LOGIN = CachingAuthProvider(OWNER)


class Peers(EscalatingAuthProvider):
    """Has every read of the one's compared with the other's. Only the first of an operation would be, mostly of a public picture."""

    def claim_probe(self, key):
        return True


@schemathesis.hook
def after_load_schema(context, schema):
    """Signs in as one account. The other must not see what is the first one's (object_level_authorization)."""
    Login("olga").sign_up()  # the first account is the administrator's, who may not leave
    if VISITOR == "anonymous":
        OWNER.get(None, None)  # for there to be somebody's pictures
        return
    names = [OWNER.name, PEER.name]
    schema.auth.providers.append(Peers([LOGIN, CachingAuthProvider(PEER)], names, peers=tuple(names), pinned=OWNER.name))


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """`default` stands for what a gateway may say. The server itself has to name every status but 405."""
    for path in raw_schema["paths"].values():
        for operation in path.values():
            operation["responses"]["405"] = operation["responses"].pop("default")


# ---- what exists -----------------------------------------------------------------------------------------------------


@schemathesis.hook
def before_call(context, case, kwargs):
    case.headers["X-Forwarded-For"] = address()
    for name, value in case.headers.items():
        if isinstance(value, int):
            case.headers[name] = str(value)  # it came along a link, and could not be sent
    supply(case)
    case._record_starting_state()  # or it takes what was supplied for a fault that was put in on purpose


def supply(case):
    meta = case.meta  # read once: it is judged anew when it is read after a change
    if meta is None or not meta.generation.mode.is_positive or not OWNER.account:
        return
    if isinstance(case.body, dict) and "file" in case.body:
        case.body["file"] = PICTURES[0]  # the example is words in the place of a picture
    operation = case.operation.definition.raw["operationId"]
    if meta.phase.name == TestPhase.STATEFUL:
        case.query.pop("format", None)  # what follows needs the id, which text and XML don't have
        # All of a sequence is made to succeed, but for what would end what it made without a word of it.
        succeed = operation not in ENDINGS
    else:
        # Half of the other valid requests are made to succeed. The other half go as they were drawn.
        # The same ones whenever it is sent again, so not by what differs between runs. Too few would
        # come to an account's end by chance.
        own = {name: value for name, value in case.headers.items() if name not in ("Authorization", "X-Forwarded-For")}
        drawn = repr((case.path_parameters, case.query, own, case.body)).encode()
        succeed = operation == "deleteAccount" or zlib.crc32(drawn) % 2
    if succeed:
        exist(case)
        if operation in SUPPLY:
            SUPPLY[operation](case)
    if "Idempotency-Key" in case.headers:
        # A key belongs to one request, and the example's would be sent with many.
        case.headers["Idempotency-Key"] = str(uuid.uuid4())


def exist(case):
    """Puts what exists in the place of what was drawn. What came along a link stays, above all when it exists no more."""
    linked = case._override
    parts = case.path.split("/")
    if "id" in case.path_parameters and "id" not in linked.path_parameters:
        if case.path_parameters["id"] not in OWNER.existing[parts[3]]:
            case.path_parameters["id"] = OWNER.some(parts[3]) or case.path_parameters["id"]
    if "name" in case.path_parameters and "name" not in linked.path_parameters:
        case.path_parameters["name"] = OWNER.account
    # What others have to hand out first, and it is for one thing only.
    if "cursor" not in linked.query:
        case.query.pop("cursor", None)
    if "If-Match" not in linked.headers:
        case.headers.pop("If-Match", None)
    case.headers.pop("Content-Digest", None)


def sign_in(case):
    """A visitor signs in as itself: the session that it gets is its own to end."""
    case.body.update(name=OWNER.account, password=OWNER.password)


def change_account(case):
    """Who knows the password may change it."""
    case.body.pop("email", None)
    case.body.setdefault("name", OWNER.account)  # or it would say nothing
    if "password" in case.body:
        case.body["current_password"] = OWNER.password


def delete_account(case):
    case.query["confirm"] = OWNER.account


def begin(case):
    """As large as the picture that comes then, or it is never complete."""
    case.body["size"] = len(PICTURES[0])


def append(case):
    case.headers["Upload-Offset"] = "0"
    case.body = PICTURES[0]


def complete(case):
    """What is missing arrives before."""
    part = {"Upload-Offset": "0", "Content-Type": "application/octet-stream"}
    OWNER.http.patch(f"{URL}/api/v1/uploads/{case.path_parameters['id']}", data=PICTURES[0], headers=part)


def follow(case):
    """A free shape: others need a signature, which cannot be drawn."""
    picture = OWNER.some("images")
    if picture and case.path_parameters["file"][:13] not in OWNER.existing["images"]:
        case.path_parameters["file"] = picture + case.path_parameters["file"][13:]
    case.query = {name: value for name, value in case.query.items() if name in ("v", "download")}


def shape(case):
    case.body["variants"] = [{"format": "webp", "w": 20, "h": 10, "fit": "cover"}]


def link(case):
    case.body.pop("variant", None)


def embed(case):
    case.query["url"] = f"{URL}/p/{OWNER.some('images')}"
    case.query.pop("format", None)


SUPPLY = {
    "appendUpload": append,
    "completeUpload": complete,
    "createImageLink": link,
    "createImageVariants": shape,
    "createSession": sign_in,
    "createUpload": begin,
    "deleteAccount": delete_account,
    "getFile": follow,
    "getOEmbed": embed,
    "updateAccount": change_account,
}


# They end the account, and other sessions with the password.
ENDINGS = ("deleteAccount", "updateAccount")


@schemathesis.hook
def after_call(context, case, response):
    """Remembers what there is from now on, and what is no more."""
    if not 200 <= response.status_code < 300 or not case.path.startswith("/api/v1/"):
        return
    collection = case.path.split("/")[3]
    if case.method == "DELETE" and collection in ("account", "sessions", "api-keys"):
        LOGIN.invalidate()  # it may have been this one, and in a sequence nobody signs in again after a 401
    existing = OWNER.existing[collection]
    used_up = case.method == "DELETE" or collection == "uploads" and case.method != "GET"
    if used_up and case.path_parameters.get("id") in existing:
        existing.remove(case.path_parameters["id"])
    made = re.search(r'"id":"([^"]+)"', response.text)  # none where only the link was asked for
    if response.status_code == 201 and made:
        if case.path.endswith("/complete"):
            existing = OWNER.existing["images"]
        # The last ones are taken first, and an upload of another size than our picture's can't be completed.
        fits = collection != "uploads" or f'"size":{len(PICTURES[0])},' in response.text
        existing.insert(len(existing) if fits else 0, made[1])
    if case.path == "/api/v1/account" and case.method == "PATCH":
        OWNER.account = case.body.get("name", OWNER.account)
        OWNER.password = case.body.get("password", OWNER.password)


@schemathesis.check
def made_is_there(ctx, response, case):
    """What ensure_resource_availability is for. That passes over operations with a parameter that no link fills: an If-Match."""
    made = case.path.split("/")[3:4]
    if response.status_code == 404 and made in (["images"], ["uploads"]) and case.auth_identity == OWNER.name:
        assert case.path_parameters.get("id") not in OWNER.existing[made[0]], "It was made, and is not there."


# ---- what a schema cannot say ----------------------------------------------------------------------------------------

# Problems that a request may meet though it keeps to its schema. Any other 4xx of such a request stays a failure of
# positive_data_acceptance, above all invalid_request: then the server refuses what the contract allows.
BEYOND_SCHEMA = {
    "confirmation_mismatch": "a name that was drawn is not the account's",
    "content_digest_mismatch": "a digest of a form, whose boundary is chosen while it is sent",
    "contradictory": "two parameters that exclude each other",
    "current_password_needed": "one member that is needed with another",
    "expires_in_past": "what is past depends on when it is asked",
    "file_too_large": "the limit is the instance's, see getInstance",
    "image_gone": "the picture was deleted before",
    "invalid_cursor": "a cursor is what the page before handed out",
    "invalid_content_digest": "how long a digest is depends on its algorithm",
    "invalid_email": "which domains there can be is more than a pattern",
    "out_of_range": "the part to take has to lie within the picture",
    "precondition_failed": "an ETag that was drawn is no picture's",
    "required": "a member that is needed with one value of another",
    "unexpected": "a member that has no meaning with one value of another",
    "unknown_preset": "presets are the instance's settings",
    "upload_too_large": "how large an upload may become was said when it began",
}


@schemathesis.hook
def filter_failure(context, failure, case, response):
    if isinstance(failure, AcceptedNegativeData):
        # In a form, whatever a string became is sent as a string again.
        return case.media_type != "multipart/form-data" or "was string, became" not in failure.message
    if not isinstance(failure, RejectedPositiveData):
        return True
    try:
        problem = response.json()
    except ValueError:
        return True
    return problem["type"].removeprefix("/problems/") not in BEYOND_SCHEMA
