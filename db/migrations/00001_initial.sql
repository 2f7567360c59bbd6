-- +goose Up

-- This database's own id. The storage carries it too, so that the two cannot be mixed up with others'.
CREATE TABLE instance (
    only_one boolean PRIMARY KEY DEFAULT true CONSTRAINT instance_only_one_check CHECK (only_one),
    id       text NOT NULL
);
INSERT INTO instance (id) VALUES (gen_random_uuid()::text);

-- People.
CREATE TABLE accounts (
    id                 text PRIMARY KEY,
    name               text NOT NULL CONSTRAINT accounts_name_key UNIQUE,
    email              text,
    role               text NOT NULL CONSTRAINT accounts_role_check CHECK (role IN ('admin', 'member')),
    password_hash      text NOT NULL,
    keep_metadata      boolean NOT NULL DEFAULT false,
    default_visibility text NOT NULL DEFAULT 'unlisted'
        CONSTRAINT accounts_default_visibility_check CHECK (default_visibility IN ('public', 'unlisted', 'private')),
    revision           bigint NOT NULL DEFAULT 1,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now()
);

-- What an account holds and may hold: the row that every upload and deletion of the account locks first.
CREATE TABLE account_usage (
    account_id  text PRIMARY KEY REFERENCES accounts (id) ON DELETE CASCADE,
    bytes       bigint NOT NULL DEFAULT 0 CONSTRAINT account_usage_bytes_check CHECK (bytes >= 0),
    images      bigint NOT NULL DEFAULT 0 CONSTRAINT account_usage_images_check CHECK (images >= 0),
    quota_bytes bigint CONSTRAINT account_usage_quota_check CHECK (quota_bytes >= 0) -- null: no limit
);

-- Browser logins; the token itself is never stored.
CREATE TABLE sessions (
    id           text PRIMARY KEY,
    account_id   text NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    token_hash   bytea NOT NULL CONSTRAINT sessions_token_hash_key UNIQUE,
    user_agent   text NOT NULL,
    address      text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL
);
CREATE INDEX sessions_account_idx ON sessions (account_id, last_used_at DESC, id DESC);
CREATE INDEX sessions_expires_idx ON sessions (expires_at);

-- Programs' logins; the key itself is never stored.
CREATE TABLE api_keys (
    id           text PRIMARY KEY,
    account_id   text NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    name         text NOT NULL,
    prefix       text NOT NULL,
    secret_hash  bytea NOT NULL CONSTRAINT api_keys_secret_hash_key UNIQUE,
    scopes       text[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    expires_at   timestamptz
);
CREATE INDEX api_keys_account_idx ON api_keys (account_id, created_at DESC, id DESC);

-- Invitations that have not been used yet.
CREATE TABLE invites (
    code_hash  bytea PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

-- Rate limits by the generic cell rate algorithm: tat is the theoretical arrival time of the next conforming attempt.
CREATE TABLE rate_limits (
    key text PRIMARY KEY,
    tat timestamptz NOT NULL
);
CREATE INDEX rate_limits_tat_idx ON rate_limits (tat);

-- Replies to requests that carried an Idempotency-Key. Neither the key nor the reply can be read from here: the key is
-- hashed, and the reply is sealed with a key that is derived from it.
CREATE TABLE idempotency_keys (
    scope        text NOT NULL,
    key_hash     bytea NOT NULL,
    fingerprint  bytea NOT NULL,
    reply        bytea, -- null while the first request is still at work
    locked_until timestamptz NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, key_hash)
);
CREATE INDEX idempotency_keys_created_idx ON idempotency_keys (created_at);

-- Bytes known by their SHA-256. The row is there before the file gets its name, and is locked while the file is removed.
-- Uploads under way hold the blob until their image refers to it; those that died hold it until reserved_until. Neither
-- column is indexed, so that counting down is a HOT update, for which the fill factor leaves room.
CREATE TABLE blobs (
    ref            bytea PRIMARY KEY CONSTRAINT blobs_ref_check CHECK (octet_length(ref) = 32),
    size           bigint NOT NULL CONSTRAINT blobs_size_check CHECK (size >= 0),
    uploads        integer NOT NULL DEFAULT 0 CONSTRAINT blobs_uploads_check CHECK (uploads >= 0),
    reserved_until timestamptz NOT NULL DEFAULT '-infinity',
    lost_at        timestamptz, -- when doctor found that the bytes are missing or damaged; null while they are sound
    created_at     timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 85);
CREATE INDEX blobs_created_idx ON blobs (created_at);

-- One account's named references to blobs. account_name is repeated here, so that the feed reads one table.
CREATE TABLE images (
    id           text PRIMARY KEY,
    account_id   text NOT NULL REFERENCES accounts (id),
    account_name text NOT NULL,
    ref          bytea NOT NULL REFERENCES blobs (ref),
    media_type   text NOT NULL,
    width        integer NOT NULL,
    height       integer NOT NULL,
    frames       integer NOT NULL,
    transparent  boolean NOT NULL,
    size         bigint NOT NULL,
    filename     text NOT NULL,
    filename_key text COLLATE "C" NOT NULL GENERATED ALWAYS AS (lower(filename)) STORED,
    title        text NOT NULL,
    description  text NOT NULL,
    visibility   text NOT NULL
        CONSTRAINT images_visibility_check CHECK (visibility IN ('public', 'unlisted', 'private')),
    placeholder  bytea NOT NULL,
    revision     bigint NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX images_feed_idx ON images (created_at DESC, id DESC) WHERE visibility = 'public';
CREATE INDEX images_account_public_idx ON images (account_id, created_at DESC, id DESC) WHERE visibility = 'public';
CREATE INDEX images_account_created_idx ON images (account_id, created_at, id);
CREATE INDEX images_account_name_idx ON images (account_id, filename_key, id);
CREATE INDEX images_account_size_idx ON images (account_id, size, id);
CREATE INDEX images_ref_idx ON images (ref, account_id);

-- Ids of deleted pictures, so that their links can say 410 and are never given out again.
CREATE TABLE deleted_images (
    id         text PRIMARY KEY,
    deleted_at timestamptz NOT NULL DEFAULT now()
);

-- +goose Down
DROP TABLE deleted_images, images, blobs, idempotency_keys, rate_limits, invites, api_keys, sessions,
    account_usage, accounts, instance;
