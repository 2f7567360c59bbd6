-- +goose Up

-- The accounts of the variants' files, for all replicas together. Whether a variant is there is decided by its file alone;
-- a row says how large it is, when it was used last, who is making it, or why it cannot be made. All of it may be lost.
--
-- used_at changes all the time, so it is in no index, and the fill factor leaves room for HOT updates: the index for
-- eviction is of the hour, which changes once an hour, and what is left to sort by used_at is one hour's rows.
CREATE TABLE variants (
    ref           bytea NOT NULL REFERENCES blobs (ref) ON DELETE CASCADE,
    name          text NOT NULL,
    size          bigint NOT NULL DEFAULT 0 CONSTRAINT variants_size_check CHECK (size >= 0), -- bytes; 0 while there is no file
    used_at       timestamptz NOT NULL DEFAULT now(),
    used_hour     integer NOT NULL DEFAULT floor(extract(epoch FROM now()) / 3600),
    claimed_until timestamptz NOT NULL DEFAULT '-infinity', -- until then somebody is making it
    failed_until  timestamptz NOT NULL DEFAULT '-infinity', -- until then nobody tries again, because of failure
    failure       jsonb,
    PRIMARY KEY (ref, name)
) WITH (fillfactor = 80);
CREATE INDEX variants_used_idx ON variants (used_hour) WHERE size > 0;

-- What signatures on links are made with: the highest id is the current key, the one before it is still valid.
CREATE TABLE signing_keys (
    id         integer PRIMARY KEY,
    key        bytea NOT NULL CONSTRAINT signing_keys_key_check CHECK (octet_length(key) >= 32),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Replicas keep in memory what they need to send pictures. They hear on the channel kadr_changes what is no longer so:
-- ids of pictures, separated by commas; '*' for more pictures than are worth naming; 'keys' for the signing keys.
--
-- An id has 13 to 26 characters, and a message less than 8000.
-- +goose StatementBegin
CREATE FUNCTION notify_images(ids text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(ids) > 500 THEN
        PERFORM pg_notify('kadr_changes', '*');
        RETURN;
    END IF;
    FOR start IN 1 .. coalesce(cardinality(ids), 0) BY 100 LOOP
        PERFORM pg_notify('kadr_changes', array_to_string(ids[start:start + 99], ','));
    END LOOP;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION images_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM notify_images(ARRAY(SELECT id FROM old_images LIMIT 501));
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION images_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM notify_images(ARRAY(
        SELECT o.id FROM old_images o LEFT JOIN new_images n ON n.id = o.id
        WHERE (o.visibility, o.filename, o.account_id, o.account_name)
            IS DISTINCT FROM (n.visibility, n.filename, n.account_id, n.account_name)
        LIMIT 501));
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION signing_keys_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('kadr_changes', 'keys');
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER images_deleted AFTER DELETE ON images
    REFERENCING OLD TABLE AS old_images FOR EACH STATEMENT EXECUTE FUNCTION images_deleted();
CREATE TRIGGER images_updated AFTER UPDATE ON images
    REFERENCING OLD TABLE AS old_images NEW TABLE AS new_images FOR EACH STATEMENT EXECUTE FUNCTION images_updated();
CREATE TRIGGER signing_keys_changed AFTER INSERT OR UPDATE OR DELETE ON signing_keys
    FOR EACH STATEMENT EXECUTE FUNCTION signing_keys_changed();

-- +goose Down
DROP TRIGGER images_updated ON images;
DROP TRIGGER images_deleted ON images;
DROP TABLE signing_keys, variants;
DROP FUNCTION signing_keys_changed, images_updated, images_deleted, notify_images;
