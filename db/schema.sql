-- The schema that db/migrations make, as pg_dump tells it. Written by make generate; do not edit.

CREATE FUNCTION public.images_deleted() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM notify_images(ARRAY(SELECT id FROM old_images LIMIT 501));
    RETURN NULL;
END $$;

CREATE FUNCTION public.images_updated() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM notify_images(ARRAY(
        SELECT o.id FROM old_images o LEFT JOIN new_images n ON n.id = o.id
        WHERE (o.visibility, o.filename, o.account_id, o.account_name)
            IS DISTINCT FROM (n.visibility, n.filename, n.account_id, n.account_name)
        LIMIT 501));
    RETURN NULL;
END $$;

CREATE FUNCTION public.notify_images(ids text[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF cardinality(ids) > 500 THEN
        PERFORM pg_notify('kadr_changes', '*');
        RETURN;
    END IF;
    FOR start IN 1 .. coalesce(cardinality(ids), 0) BY 100 LOOP
        PERFORM pg_notify('kadr_changes', array_to_string(ids[start:start + 99], ','));
    END LOOP;
END $$;

CREATE FUNCTION public.signing_keys_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_notify('kadr_changes', 'keys');
    RETURN NULL;
END $$;

CREATE TABLE public.account_usage (
    account_id text NOT NULL,
    bytes bigint DEFAULT 0 NOT NULL,
    images bigint DEFAULT 0 NOT NULL,
    quota_bytes bigint,
    CONSTRAINT account_usage_bytes_check CHECK ((bytes >= 0)),
    CONSTRAINT account_usage_images_check CHECK ((images >= 0)),
    CONSTRAINT account_usage_quota_check CHECK ((quota_bytes >= 0))
);

CREATE TABLE public.accounts (
    id text NOT NULL,
    name text NOT NULL,
    email text,
    role text NOT NULL,
    password_hash text NOT NULL,
    keep_metadata boolean DEFAULT false NOT NULL,
    default_visibility text DEFAULT 'unlisted'::text NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT accounts_default_visibility_check CHECK ((default_visibility = ANY (ARRAY['public'::text, 'unlisted'::text, 'private'::text]))),
    CONSTRAINT accounts_role_check CHECK ((role = ANY (ARRAY['admin'::text, 'member'::text])))
);

CREATE TABLE public.api_keys (
    id text NOT NULL,
    account_id text NOT NULL,
    name text NOT NULL,
    prefix text NOT NULL,
    secret_hash bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone,
    expires_at timestamp with time zone
);

CREATE TABLE public.blobs (
    ref bytea NOT NULL,
    size bigint NOT NULL,
    uploads integer DEFAULT 0 NOT NULL,
    reserved_until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    lost_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT blobs_ref_check CHECK ((octet_length(ref) = 32)),
    CONSTRAINT blobs_size_check CHECK ((size >= 0)),
    CONSTRAINT blobs_uploads_check CHECK ((uploads >= 0))
)
WITH (fillfactor='85');

CREATE TABLE public.deleted_images (
    id text NOT NULL,
    deleted_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.idempotency_keys (
    scope text NOT NULL,
    key_hash bytea NOT NULL,
    fingerprint bytea NOT NULL,
    reply bytea,
    locked_until timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE public.images (
    id text NOT NULL,
    account_id text NOT NULL,
    account_name text NOT NULL,
    ref bytea NOT NULL,
    media_type text NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    frames integer NOT NULL,
    transparent boolean NOT NULL,
    size bigint NOT NULL,
    filename text NOT NULL,
    filename_key text GENERATED ALWAYS AS (lower(filename)) STORED NOT NULL COLLATE pg_catalog."C",
    title text NOT NULL,
    description text NOT NULL,
    visibility text NOT NULL,
    placeholder bytea NOT NULL,
    revision bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT images_visibility_check CHECK ((visibility = ANY (ARRAY['public'::text, 'unlisted'::text, 'private'::text])))
);

CREATE TABLE public.instance (
    only_one boolean DEFAULT true NOT NULL,
    id text NOT NULL,
    CONSTRAINT instance_only_one_check CHECK (only_one)
);

CREATE TABLE public.invites (
    code_hash bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

CREATE TABLE public.rate_limits (
    key text NOT NULL,
    tat timestamp with time zone NOT NULL
);

CREATE TABLE public.sessions (
    id text NOT NULL,
    account_id text NOT NULL,
    token_hash bytea NOT NULL,
    user_agent text NOT NULL,
    address text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

CREATE TABLE public.signing_keys (
    id integer NOT NULL,
    key bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT signing_keys_key_check CHECK ((octet_length(key) >= 32))
);

CREATE TABLE public.variants (
    ref bytea NOT NULL,
    name text NOT NULL,
    size bigint DEFAULT 0 NOT NULL,
    used_at timestamp with time zone DEFAULT now() NOT NULL,
    used_hour integer DEFAULT floor((EXTRACT(epoch FROM now()) / (3600)::numeric)) NOT NULL,
    claimed_until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    failed_until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    failure jsonb,
    CONSTRAINT variants_size_check CHECK ((size >= 0))
)
WITH (fillfactor='80');

ALTER TABLE ONLY public.account_usage
    ADD CONSTRAINT account_usage_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_name_key UNIQUE (name);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_secret_hash_key UNIQUE (secret_hash);

ALTER TABLE ONLY public.blobs
    ADD CONSTRAINT blobs_pkey PRIMARY KEY (ref);

ALTER TABLE ONLY public.deleted_images
    ADD CONSTRAINT deleted_images_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (scope, key_hash);

ALTER TABLE ONLY public.images
    ADD CONSTRAINT images_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.instance
    ADD CONSTRAINT instance_pkey PRIMARY KEY (only_one);

ALTER TABLE ONLY public.invites
    ADD CONSTRAINT invites_pkey PRIMARY KEY (code_hash);

ALTER TABLE ONLY public.rate_limits
    ADD CONSTRAINT rate_limits_pkey PRIMARY KEY (key);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_token_hash_key UNIQUE (token_hash);

ALTER TABLE ONLY public.signing_keys
    ADD CONSTRAINT signing_keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.variants
    ADD CONSTRAINT variants_pkey PRIMARY KEY (ref, name);

CREATE INDEX api_keys_account_idx ON public.api_keys USING btree (account_id, created_at DESC, id DESC);

CREATE INDEX blobs_created_idx ON public.blobs USING btree (created_at);

CREATE INDEX idempotency_keys_created_idx ON public.idempotency_keys USING btree (created_at);

CREATE INDEX images_account_created_idx ON public.images USING btree (account_id, created_at, id);

CREATE INDEX images_account_name_idx ON public.images USING btree (account_id, filename_key, id);

CREATE INDEX images_account_public_idx ON public.images USING btree (account_id, created_at DESC, id DESC) WHERE (visibility = 'public'::text);

CREATE INDEX images_account_size_idx ON public.images USING btree (account_id, size, id);

CREATE INDEX images_feed_idx ON public.images USING btree (created_at DESC, id DESC) WHERE (visibility = 'public'::text);

CREATE INDEX images_ref_idx ON public.images USING btree (ref, account_id);

CREATE INDEX rate_limits_tat_idx ON public.rate_limits USING btree (tat);

CREATE INDEX sessions_account_idx ON public.sessions USING btree (account_id, last_used_at DESC, id DESC);

CREATE INDEX sessions_expires_idx ON public.sessions USING btree (expires_at);

CREATE INDEX variants_used_idx ON public.variants USING btree (used_hour) WHERE (size > 0);

CREATE TRIGGER images_deleted AFTER DELETE ON public.images REFERENCING OLD TABLE AS old_images FOR EACH STATEMENT EXECUTE FUNCTION public.images_deleted();

CREATE TRIGGER images_updated AFTER UPDATE ON public.images REFERENCING OLD TABLE AS old_images NEW TABLE AS new_images FOR EACH STATEMENT EXECUTE FUNCTION public.images_updated();

CREATE TRIGGER signing_keys_changed AFTER INSERT OR DELETE OR UPDATE ON public.signing_keys FOR EACH STATEMENT EXECUTE FUNCTION public.signing_keys_changed();

ALTER TABLE ONLY public.account_usage
    ADD CONSTRAINT account_usage_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.images
    ADD CONSTRAINT images_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id);

ALTER TABLE ONLY public.images
    ADD CONSTRAINT images_ref_fkey FOREIGN KEY (ref) REFERENCES public.blobs(ref);

ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_account_id_fkey FOREIGN KEY (account_id) REFERENCES public.accounts(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.variants
    ADD CONSTRAINT variants_ref_fkey FOREIGN KEY (ref) REFERENCES public.blobs(ref) ON DELETE CASCADE;
